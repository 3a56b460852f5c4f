"""Computing runs in detached processes, one local queue."""
