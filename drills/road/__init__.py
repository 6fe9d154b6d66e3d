"""What an installation goes through in days, vendor by vendor, through a real Airflow."""
