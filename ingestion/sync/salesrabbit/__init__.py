"""SalesRabbit."""
