"""How the dashboard asks: never twice at once, less often when it is slow or nothing happens, not in a
hidden tab, and with patience while nobody answers. The browser's clock is the test's."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.watch import Watch

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]

# A page without a poller of its own, and a server that answers when it is told to.
PAGE = "/settings/"
SET_UP = """async (seconds) => {
  const { Poller } = await import("/static/ingestion/js/poller.js");
  const seen = { asked: 0, open: 0, most: 0, data: [], looks: [], etags: [], waiting: [] };
  let reply = () => ({ status: 200, body: { n: seen.asked } });
  window.fetch = (address, { headers }) => new Promise((answer, fail) => {
    seen.asked += 1; seen.open += 1; seen.most = Math.max(seen.most, seen.open);
    seen.etags.push(headers["If-None-Match"] ?? null);
    seen.waiting.push(() => {
      seen.open -= 1;
      const { status, body, headers, isLost } = reply();
      if (isLost) return fail(new TypeError("Failed to fetch"));
      answer(new Response(status === 304 ? null : JSON.stringify(body), { status, headers }));
    });
  });
  window.poller = new Poller({ url: () => "/x", seconds, onData: (d) => seen.data.push(d), onLook: (l) => seen.looks.push(l.ok) });
  window.seen = seen;
  window.replyWith = (value) => { reply = () => value; };
  window.answer = async () => {
    while (seen.waiting.length) seen.waiting.shift()();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    await new Promise((go) => { const c = new MessageChannel(); c.port1.onmessage = go; c.port2.postMessage(0); });
  };
  window.poller.start();
}"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


class Asking:
    """A poller in a page whose time stands still unless it is told to pass."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def begin(self, *, seconds: float = 2) -> None:
        self._page.goto(PAGE)
        self._page.clock.install()
        self._page.clock.pause_at(self._page.evaluate("Date.now() + 1000"))
        self._page.evaluate(SET_UP, seconds)

    def answer(self) -> None:
        self._page.evaluate("answer()")

    def reply_with(self, **reply: Any) -> None:
        self._page.evaluate("(reply) => replyWith(reply)", reply)

    def wait(self, seconds: float) -> None:
        self._page.clock.run_for(round(1000 * seconds))

    def seen(self, what: str) -> Any:
        return self._page.evaluate(f"seen.{what}")

    def asked_within(self, seconds: float) -> int:
        """How often, when each is answered at once."""
        before = self.seen("asked")
        for _ in range(round(seconds * 2)):
            self.wait(0.5)
            self.answer()
        return int(self.seen("asked") - before)

    def hide(self, hidden: bool) -> None:
        self._page.evaluate(HIDE, hidden)


@pytest.fixture
def asking(page: Page) -> Asking:
    return Asking(page)


def test_asks_at_its_interval(asking: Asking) -> None:
    asking.begin()
    asking.answer()
    assert asking.asked_within(10) == 5
    assert asking.seen("data.length") == 6


def test_never_asks_twice_at_once(asking: Asking) -> None:
    asking.begin()
    asking.wait(9)
    asking._page.evaluate("void poller.now()")
    asking._page.evaluate("void poller.now()")
    assert (asking.seen("asked"), asking.seen("most")) == (1, 1)
    asking.answer()
    # What was wanted meanwhile is asked once, and at once.
    assert (asking.seen("asked"), asking.seen("most")) == (2, 1)


def test_gives_a_slow_server_four_times_its_time(asking: Asking) -> None:
    asking.begin()
    asking.wait(2)
    asking.answer()
    asking.wait(7.5)
    assert asking.seen("asked") == 1
    asking.wait(1)
    assert asking.seen("asked") == 2


def test_sends_the_etag_and_keeps_what_it_has(asking: Asking) -> None:
    asking.begin()
    asking.reply_with(status=200, body={"n": 1}, headers={"ETag": '"a"'})
    asking.answer()
    asking.reply_with(status=304)
    assert asking.asked_within(6) == 3
    assert asking.seen("etags") == [None, '"a"', '"a"', '"a"']
    assert asking.seen("data") == [{"n": 1}]


def test_asks_less_often_while_nothing_happens(asking: Asking) -> None:
    asking.begin()
    asking.answer()
    asking.reply_with(status=304)
    assert asking.asked_within(20) == 10
    asking.asked_within(50)
    assert asking.asked_within(20) == 4
    # News makes it attentive again.
    asking.reply_with(status=200, body={"n": 2})
    asking.asked_within(5)
    assert asking.asked_within(20) == 10


def test_does_not_ask_in_a_hidden_tab_and_asks_at_once_when_it_is_seen(
    asking: Asking,
) -> None:
    asking.begin()
    asking.answer()
    asking.hide(True)
    assert asking.asked_within(60) == 0
    asking.hide(False)
    assert asking.seen("open") == 1


def test_what_is_answered_while_hidden_is_not_followed_by_more(asking: Asking) -> None:
    asking.begin()
    asking.hide(True)
    asking.answer()
    assert asking.asked_within(60) == 0


def test_is_patient_while_nobody_answers_and_back_at_once(asking: Asking, watch: Watch) -> None:
    asking.begin()
    asking.reply_with(isLost=True)
    asking.answer()
    asked = asking.asked_within(120)
    assert 4 <= asked <= 8  # after 4, 8, 16, 30 seconds and so on
    assert not any(asking.seen("looks"))
    asking.reply_with(status=200, body={"n": 1})
    asking.asked_within(30)
    assert asking.seen("looks")[-1]
    assert asking.asked_within(10) == 5


def test_waits_as_long_as_it_is_told(asking: Asking) -> None:
    asking.begin()
    told = {"error": {"code": "TOO_MANY_REQUESTS", "message": "Too many requests."}}
    asking.reply_with(status=429, body=told, headers={"Retry-After": "25"})
    asking.answer()
    assert asking.asked_within(24) == 0
    asking.wait(2)
    assert asking.seen("open") == 1


def test_can_be_stopped_and_asked_by_hand(asking: Asking) -> None:
    asking.begin()
    asking.answer()
    asking._page.evaluate("poller.every(0)")
    assert asking.asked_within(60) == 0
    asking.hide(False)
    assert asking.seen("open") == 0
    asking._page.evaluate("void poller.now()")
    assert asking.seen("open") == 1
    asking.answer()
    assert asking.asked_within(60) == 0
    asking._page.evaluate("poller.every(15)")
    asking.answer()
    assert asking.asked_within(60) == 4
