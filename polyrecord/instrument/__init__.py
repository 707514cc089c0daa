"""What a strategy calls while it trades: traces, stages, and the helpers that need no set-up."""
