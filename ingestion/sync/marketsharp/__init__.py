"""MarketSharp."""
