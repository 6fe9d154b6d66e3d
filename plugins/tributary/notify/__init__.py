"""What people hear: one message per incident."""
