"""CallRail."""
