"""SalesPro."""
