-- How many lines have something to be grouped by.
select count(value)
from line_values
