"""What people type after manage.py."""
