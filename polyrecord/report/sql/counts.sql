-- How many lines are events, and how many could not be read as one.
select count(ts), count(*) - count(ts)
from lines
