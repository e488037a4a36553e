"""What the doors (views, commands, tasks) may ask for."""
