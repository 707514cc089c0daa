"""What is done to an archive that exists: verify, salvage, retention, repack, runs."""
