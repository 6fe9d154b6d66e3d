"""What it costs to build the marts: all days of everybody, and the days that an hour changes."""
