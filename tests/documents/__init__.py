"""The pages are true: their commands run, and print what the pages show."""
