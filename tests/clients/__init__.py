"""Foreign clients read the sandbox: do they see what it holds? ``make clients``."""
