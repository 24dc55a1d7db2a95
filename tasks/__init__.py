"""The work itself: every step of the nightly job is a command of this package, and it never imports Airflow."""
