"""The dry-run bot: a whole trading bot in small, written as a user of the library would write one.

feed -> book -> strategy -> risk -> paper execution, every step recorded. It never trades: orders go nowhere.
"""
