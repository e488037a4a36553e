"""The worker pool as the rest of the project sees it: every entry point calls one verb here.

The store decides, atomically, who may run; the ledger follows it; Celery carries it out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ingestion import __version__
from ingestion.conf import PoolConf, pool_conf
from ingestion.pool.keys import ACTIVE_WORKERS_KEY, TASK_QUEUE_KEY, WORKER_STATS_KEY
from ingestion.pool.store import PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.doctor.verbs import Doctor
from ingestion.services.failover.connections import pool_store
from ingestion.services.infra.verbs import Part
from ingestion.services.requests import routing
from ingestion.services.tasks import dispatch
from ingestion.services.tasks.bulk import BulkActions
from ingestion.services.tasks.controls import ControlActions
from ingestion.services.tasks.lifecycle import TaskLife
from ingestion.services.tasks.pool_state import PoolState
from ingestion.services.tasks.queue_actions import QueueActions
from ingestion.services.tasks.upkeep import Upkeep
from ingestion.services.waiting.verbs import Explanations
from ingestion.services.waiting.views import PoolViews

__all__ = [
    "ACTIVE_WORKERS_KEY",
    "TASK_QUEUE_KEY",
    "WORKER_STATS_KEY",
    "TaskStatus",
    "WorkerPoolService",
    "WorkerTask",
    "get_worker_pool",
    "use_worker_pool",
]


class WorkerPoolService:
    """The pool of one process: its parts, and the verbs of each, which are described there. Those that
    go through all that waits or is kept, page by page, are long.

    Every verb raises PoolUnavailable when the store cannot be reached. ``conf`` comes from the settings
    unless given; ``send`` hands a claimed task to the broker, see ``dispatch.send``.
    """

    def __init__(
        self,
        store: PoolStore,
        *,
        conf: PoolConf | None = None,
        send: dispatch.Send = dispatch.send,
    ) -> None:
        conf = conf or pool_conf()
        self.store = store
        self._upkeep = upkeep = Upkeep(store, conf=conf, send=send, release=__version__)
        self._life = life = TaskLife(store, conf=conf, upkeep=upkeep)
        self._state = state = PoolState(store, conf=conf, upkeep=upkeep)
        self._queue = QueueActions(store, upkeep=upkeep)
        self._bulk = BulkActions(store, life=life, upkeep=upkeep)
        self._controls = ControlActions(store, conf=conf, upkeep=upkeep)
        self._waiting = waiting = Explanations(store, conf=conf, upkeep=upkeep)
        self._views = PoolViews(
            store, conf=conf, upkeep=upkeep, state=state, explained=waiting.explained
        )
        self._doctor = Doctor(store, conf=conf, send=send, upkeep=upkeep, life=life, state=state)

    _life = Part[TaskLife]()
    submit_task = _life.verb(TaskLife.submit_task)
    submit = _life.verb(TaskLife.submit)
    submit_many = _life.verb(TaskLife.submit_many, is_long=True)
    confirm_task = _life.verb(TaskLife.confirm_task)
    renew_lease = _life.verb(TaskLife.renew_lease)
    report_progress = _life.verb(TaskLife.report_progress)
    recorded_row = _life.verb(TaskLife.recorded_row)
    finish_task = _life.verb(TaskLife.finish_task)
    update_task_status = _life.verb(TaskLife.update_task_status)
    cancel_task = _life.verb(TaskLife.cancel_task)

    _upkeep = Part[Upkeep]()
    process_queue = _upkeep.verb(Upkeep.process_queue)
    worker_tick = _upkeep.verb(Upkeep.worker_tick, is_long=True)
    worker_gone = _upkeep.verb(Upkeep.worker_gone)

    _views = Part[PoolViews]()
    get_task_status = _views.verb(PoolViews.get_task_status)
    get_active_tasks = _views.verb(PoolViews.get_active_tasks)
    get_queued_tasks = _views.verb(PoolViews.get_queued_tasks)
    queue_page = _views.verb(PoolViews.queue_page)
    peek = _views.verb(PoolViews.peek)
    snapshot = _views.verb(PoolViews.snapshot)
    get_stats = _views.verb(PoolViews.get_stats)

    _waiting = Part[Explanations]()
    explain = _waiting.verb(Explanations.explain, is_long=True)
    waits_of = _waiting.verb(Explanations.waits_of)
    forecast = _waiting.verb(Explanations.forecast, is_long=True)

    _queue = Part[QueueActions]()
    hold_task = _queue.verb(QueueActions.hold_task)
    release_task = _queue.verb(QueueActions.release_task)
    set_priority = _queue.verb(QueueActions.set_priority)
    move_to_front = _queue.verb(QueueActions.move_to_front)

    _bulk = Part[BulkActions]()
    select = _bulk.verb(BulkActions.select, is_long=True)
    bulk = _bulk.verb(BulkActions.bulk, is_long=True)
    cancel_all = _bulk.verb(BulkActions.cancel_all, is_long=True)
    clear_queue = _bulk.verb(BulkActions.clear_queue, is_long=True)

    _controls = Part[ControlActions]()
    controls = _controls.verb(ControlActions.controls)
    get_max_workers = _controls.verb(ControlActions.get_max_workers)
    set_max_workers = _controls.verb(ControlActions.set_max_workers)
    set_crm_limit = _controls.verb(ControlActions.set_crm_limit)
    pause = _controls.verb(ControlActions.pause)
    resume = _controls.verb(ControlActions.resume)
    set_priority_aging = _controls.verb(ControlActions.set_priority_aging, is_long=True)

    _state = Part[PoolState]()
    reset_state = _state.verb(PoolState.reset_state, is_long=True)
    take_over = _state.verb(PoolState.take_over, is_long=True)
    import_old_state = _state.verb(PoolState.import_old_state, is_long=True)

    _doctor = Part[Doctor]()
    fix_stuck = _doctor.verb(Doctor.fix_stuck, is_long=True)
    examine = _doctor.verb(Doctor.examine, is_long=True)
    repair = _doctor.verb(Doctor.repair, is_long=True)
    run_monitor_round = _doctor.verb(Doctor.run_monitor_round, is_long=True)
    cleanup_completed_tasks = _doctor.verb(Doctor.cleanup_completed_tasks, is_long=True)
    cleanup_stale_active_tasks = _doctor.verb(Doctor.cleanup_stale_active_tasks, is_long=True)
    check_celery_task_statuses = _doctor.verb(Doctor.check_celery_task_statuses)

    @property
    def task_mappings(self) -> Mapping[tuple[str, str], str]:
        """(crm_source, sync_type) -> Celery task name, for every route."""
        return routing.task_mappings()


# By process id: a forked child builds its own.
_services: dict[int, WorkerPoolService] = {}


def get_worker_pool() -> WorkerPoolService:
    """The service of this process."""
    pid = os.getpid()
    if pid not in _services:
        _services.clear()
        _services[pid] = WorkerPoolService(pool_store(pool_conf()))
    return _services[pid]


@contextmanager
def use_worker_pool(service: WorkerPoolService) -> Iterator[WorkerPoolService]:
    """Put another service in its place for a while; for tests."""
    before = dict(_services)
    _services.clear()
    _services[os.getpid()] = service
    try:
        yield service
    finally:
        _services.clear()
        _services.update(before)
