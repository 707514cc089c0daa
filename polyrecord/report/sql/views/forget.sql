-- Lines of a portion that are no events.
delete from recorded.lines
where portion = $portion and event_type is null
