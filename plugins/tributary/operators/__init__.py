"""Thin Airflow operators: each `execute` is a sentence over the folders beside this one."""
