"""Who gets memory for a frame, and who loses it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleuve.kafka.admission import SMALL_SHARE, TURN_S, Admission, FrameMemory
from fleuve.kafka.limits import Limits

KIB = 1024
LIMITS = Limits(request_memory=800 * KIB, partial_memory=80 * KIB)
SMALL = 100 * KIB
LARGE = 300 * KIB


class Frame:
    """A frame that comes as the test says."""

    def __init__(self, admission: Admission, size: int = SMALL, *, held_up: bool = False, proven: bool = False) -> None:
        self.memory = admission.requests
        self.size = size
        self.filled = 0
        self.held_up = held_up
        self.proven = proven
        assert self.memory.take(size)
        admission.begin(self)

    def cut_off(self) -> None: ...


class Clock:
    """Asks for slow frames, turn by turn."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.now = 0.0

    def turns(self, seconds: float, *frames: tuple[Frame, int]) -> list[Frame]:
        """Let frames come at so many bytes a second; return those that were found too slow."""
        found: list[Frame] = []
        for _ in range(round(seconds / TURN_S)):
            self.now += TURN_S
            for frame, pace in frames:
                frame.filled = min(frame.size, frame.filled + round(pace * TURN_S))
            found += [frame for frame in self.admission.too_slow(self.now) if frame not in found]  # type: ignore[misc]
        return found


def waiting(admission: Admission, size: int = SMALL) -> list[bool]:
    granted: list[bool] = []
    admission.requests.wait(size, lambda: granted.append(True))
    return granted


# ---------------------------------------------------------------- memory


def test_who_waited_longest_and_who_came_last_are_granted_in_turn():
    memory, granted = FrameMemory(800), []
    assert memory.take(100)
    memory.hold(700)
    for name in ("first", "second", "third", "fourth"):
        memory.wait(50, lambda name=name: granted.append(name))
    assert not memory.take(1), "others wait already"
    memory.give_back(100)
    assert granted == ["first", "fourth"]
    memory.hold(50)
    memory.let_go(150)
    assert granted == ["first", "fourth", "second", "third"]


def test_who_is_proven_has_three_turns_of_four():
    memory, granted = FrameMemory(800), []
    memory.hold(800)
    for number in range(4):
        memory.wait(50, lambda number=number: granted.append(f"new {number}"))
        memory.wait(50, lambda number=number: granted.append(f"proven {number}"), proven=True)
    memory.let_go(400)
    proven = ["proven 0", "proven 3", "proven 1"]
    assert granted == [*proven, "new 0", "proven 2", "new 3", "new 1", "new 2"]


def test_large_frames_leave_a_part_for_small_ones():
    memory = FrameMemory(800)
    assert memory.take(600)
    assert not memory.take(200)
    assert memory.take(100)
    assert memory.take(100)
    assert not memory.take(1)


def test_what_is_held_without_leave_keeps_no_small_frame_out():
    memory = FrameMemory(800)
    memory.hold(900)
    memory.wait(600, lambda: None)
    assert memory.take(100)
    assert not memory.take(1)
    memory.give_back(100)
    assert memory.take(50)


def test_small_frames_leave_what_a_large_one_waits_for():
    memory, granted = FrameMemory(800), []
    for _ in range(8):
        assert memory.take(100)
    memory.wait(600, lambda: granted.append(True))
    for _ in range(6):
        memory.give_back(100)
        assert not memory.take(100), "the large one waits"
    assert granted == [True]
    assert memory.used == 800


def test_a_frame_larger_than_all_memory_is_granted_when_no_other_large_one_is_held():
    memory, granted = FrameMemory(800), []
    assert memory.take(600)
    memory.wait(5000, lambda: granted.append(True))
    assert memory.take(100)
    memory.give_back(600)
    assert granted == [True]
    assert memory.available == 0
    memory.give_back(100)
    assert memory.take(100), "small ones have their part all the same"


def test_who_stops_waiting_lets_those_behind_pass():
    memory, granted = FrameMemory(800), []

    def never() -> None:
        granted.append("never")

    memory.take(500)
    memory.wait(500, never)
    memory.wait(200, lambda: granted.append("behind"))
    assert memory.stop_waiting(never)
    assert granted == ["behind"]
    assert not memory.stop_waiting(never)


@given(st.lists(st.tuples(st.sampled_from(["take", "wait", "give"]), st.integers(1, 1200)), max_size=60))
def test_the_bound_holds_but_for_one_large_frame_and_the_small_ones_beside_it(steps):
    memory = FrameMemory(800)
    held: list[int] = []
    for what, size in steps:
        if what == "take" and memory.take(size):
            held.append(size)
        elif what == "wait":
            memory.wait(size, lambda size=size: held.append(size))
        elif what == "give" and held:
            memory.give_back(held.pop(0))
        assert memory.used == sum(held)
        assert memory.used <= max(800, max(held, default=0) + 800 // SMALL_SHARE)


# ---------------------------------------------------------------- pace


def test_frames_that_stall_are_cut_off_while_others_wait_but_for_half_of_the_memory():
    admission = Admission(LIMITS)
    frames = [Frame(admission) for _ in range(8)]
    assert Clock(admission).turns(5) == [], "nobody waits"
    waiting(admission)
    assert len(Clock(admission).turns(5)) == len(frames) / 2


def test_the_slowest_are_cut_off():
    admission = Admission(LIMITS)
    stalled = [Frame(admission) for _ in range(2)]
    bytewise = [Frame(admission) for _ in range(3)]
    slow = [Frame(admission) for _ in range(3)]
    waiting(admission)
    coming = [(frame, 10) for frame in bytewise] + [(frame, 20 * KIB) for frame in slow]
    assert set(Clock(admission).turns(0.7, *coming)) == {*stalled, *bytewise[1:]}


def test_who_is_proven_is_cut_off_last():
    admission = Admission(LIMITS)
    for _ in range(4):
        Frame(admission, proven=True)
    new = [Frame(admission) for _ in range(4)]
    waiting(admission)
    assert set(Clock(admission).turns(0.7, *[(frame, 10) for frame in new])) == set(new)


def test_a_frame_that_comes_within_a_second_is_not_slow():
    admission = Admission(LIMITS)
    frames = [Frame(admission) for _ in range(8)]
    waiting(admission)
    assert Clock(admission).turns(0.9, *[(frame, 110 * KIB) for frame in frames]) == []


def test_a_large_frame_has_more_time():
    admission = Admission(LIMITS)
    frame = Frame(admission, 700 * KIB)
    waiting(admission, LARGE)
    clock = Clock(admission)
    assert clock.turns(5, (frame, 30 * KIB)) == []
    assert clock.turns(3) == [frame]


def test_a_broker_that_had_no_time_to_read_takes_nobody_for_slow():
    admission = Admission(LIMITS)
    for _ in range(8):
        Frame(admission)
    waiting(admission)
    assert admission.too_slow(1000.0) == []
    assert admission.too_slow(2000.0) == []


def test_a_frame_that_the_broker_does_not_read_is_not_slow():
    admission = Admission(LIMITS)
    frames = [Frame(admission, held_up=True) for _ in range(8)]
    waiting(admission)
    assert Clock(admission).turns(5) == []
    for frame in frames:
        frame.held_up = False
    assert Clock(admission).turns(0.3) == [], "only from now on"


def test_a_frame_that_ended_is_forgotten():
    admission = Admission(LIMITS)
    frames = [Frame(admission) for _ in range(8)]
    waiting(admission)
    for frame in frames:
        admission.end(frame)
    assert Clock(admission).turns(5) == []
