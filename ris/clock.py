"""Celery's clock, which goes on when the clock of the machine is set back."""

from typing import Any

from celery.beat import PersistentScheduler


class Clock(PersistentScheduler):
    """Celery waits until the last run of a task is long enough ago; one that lies ahead would stop it until then.

    A machine that starts with a wrong time and is put right minutes later leaves such runs behind, in the file too.
    """

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Do what is due; a run that lies ahead counts as one of now. Returns the seconds until the next look."""
        now = self.app.now()
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at and entry.last_run_at > now]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            self._heap = None  # its order is that of the times before
        return super().tick(*args, **kwargs)
