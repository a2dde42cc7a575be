"""B5: jobs placed by us beside the same jobs in Celery's own shared queue, on the same workers, and on Dask."""
