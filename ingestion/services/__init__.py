"""What pages, API, commands and tasks may ask for: one room per subject, two front rooms."""
