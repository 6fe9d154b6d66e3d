"""What people decide about their merchants: read from files, checked, and applied to the warehouse."""
