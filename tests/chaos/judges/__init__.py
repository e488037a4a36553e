"""What the verdict asks, one subject a file. Each judge yields a sentence per broken promise."""
