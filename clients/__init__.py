"""What applications embed: a REST client, and Celery's side of placed jobs."""
