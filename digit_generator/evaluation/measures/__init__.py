"""What is measured of digits, one measure per file."""
