"""EVENTS -> ANSWERS: one .sql file per question of statistics, typed rows, renderers that compute nothing."""
