"""Two people, or six, do the same thing at the same moment: real processes, on the database of this run."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.races import Track


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Track]:
    with Track(tmp_path_factory.mktemp("track")) as made:
        yield made


def test_no_number_is_given_out_twice(track: Track) -> None:
    series = (
        "identifiers.mint_sps_id()",
        "identifiers.mint_requested_procedure_id()",
        "identifiers.mint_accession_number('A', __import__('datetime').date(2026, 1, 1))",
    )
    results = track.race(f"[({', '.join(series)}) for _ in range(150)]", processes=4)
    minted = [number for result in results for row in eval(result.removeprefix("ok ")) for number in row]  # noqa: S307
    assert len(minted) == len(set(minted)) == 4 * 150 * 3


def test_of_six_who_press_start_one_wins_and_five_are_told(track: Track) -> None:
    step = track.run("ScheduledProcedureStep.objects.get(requested_procedure__order=factories.order()).pk")
    results = track.race(f"exams.go('start', by=BY, step=step({step})).state", processes=6)
    assert Counter(results) == {"ok STARTED": 1, "ForbiddenMove": 5}
    assert track.run(f"Event.objects.filter(step={step}, kind=EventKind.STEP_STARTED).count()") == "1"


def test_start_and_cancel_at_once_leave_a_step_that_is_one_of_them(track: Track) -> None:
    order = track.run("factories.order().pk")
    step = track.run(f"ScheduledProcedureStep.objects.get(requested_procedure__order={order}).pk")
    results = track.race(
        f"exams.go('start', by=BY, step=step({step})).state", f"orders.cancel(by=BY, order=order({order})).state"
    )
    state = track.run(f"step({step}).state + ' ' + order({order}).state")
    assert (results, state) in (
        (["OrderStarted", "ok STARTED"], "STARTED IN_PROGRESS"),
        (["ForbiddenMove", "ok CANCELED"], "CANCELED CANCELED"),
    )


def test_two_who_merge_two_patients_into_each_other_get_one_merge(track: Track) -> None:
    one, two = track.run("factories.patient().pk"), track.run("factories.patient().pk")
    merge = "patients.merge(by=BY, survivor=patient({}), loser=patient({})) is not None"
    results = track.race(merge.format(one, two), merge.format(two, one), processes=2)
    assert results.count("MergeRefused") == 2
    assert results.count("ok True") == 1
    assert track.run(f"PatientMerge.objects.filter(loser__in=[{one}, {two}]).count()") == "1"


def test_whoever_waits_for_an_order_whose_patient_is_merged_meanwhile_finds_it_with_the_survivor(track: Track) -> None:
    order, survivor = track.run("factories.order().pk"), track.run("factories.patient().pk")
    merge = f"slowly(patients.merge, survivor=patient({survivor}), loser=order({order}).patient)"
    wait = f"in_a_moment(lambda: orders.hold(by=BY, order=order({order})).patient_id)"
    marked = f"rollup.mark_open(Order.objects.filter(pk={order}), by=by, add=[Attention.NO_STATION])"
    mark = f"in_a_moment(lambda: slowly(lambda by: {marked}))"
    rule = track.run("ScreeningRule.new(question='A pacemaker?', topic='implant', alert='Pacemaker', modality='XA').pk")
    rules = f"ScreeningRule.objects.get(pk={rule})"
    answer = f"in_a_moment(lambda: gate.answer(by=BY, order=order({order}), rule={rules}, value='no').patient_id)"
    assert track.race(merge, wait, mark, answer) == [f"ok {survivor}", f"ok {survivor}", "ok None", "ok None"]
    assert track.run(f"'no-station' in order({order}).attention") == "True"


def test_merges_that_meet_in_the_middle_of_a_chain_leave_no_order_behind(track: Track) -> None:
    ends = []
    for _ in range(5):
        a, b, c, d = (track.run(f"factories.patient({name!r}).pk") for name in "ABCD")
        track.run(f"factories.order(patient=patient({a}), start=None) and 1")
        track.run(f"patients.merge(by=BY, survivor=patient({c}), loser=patient({b})) and 1")
        merge = "patients.merge(by=BY, survivor=patient({}), loser=patient({})) and 1"
        assert track.race(merge.format(b, a), merge.format(d, c)) == ["ok 1", "ok 1"]
        ends.append(track.run(f"patient({d}).orders.count()"))
    assert ends == ["1"] * 5


def test_a_number_of_a_patient_is_registered_once(track: Track) -> None:
    results = track.race("factories.patient(number='RACE') is not None", processes=5)
    assert Counter(results) == {"ok True": 1, "DuplicateIdentifier": 4}


def test_orders_and_a_merge_at_once_all_end_at_the_survivor(track: Track) -> None:
    jane, twin = track.run("factories.patient().pk"), track.run("factories.patient().pk")
    track.run("factories.exam() and factories.station() and 1")  # or each process would make its own
    results = track.race(
        f"[factories.order(patient=patient({twin}), start=None) and 1 for _ in range(5)] and 1",
        f"[factories.order(patient=patient({twin}), start=None) and 1 for _ in range(5)] and 1",
        f"patients.merge(by=BY, survivor=patient({jane}), loser=patient({twin})) and 1",
    )
    assert results == ["ok 1"] * 3
    assert track.run(f"[patient({jane}).orders.count(), patient({twin}).orders.count()]") == "[10, 0]"


def test_changes_of_one_order_follow_each_other(track: Track) -> None:
    order = track.run("factories.order().pk")
    both = f"orders.hold(by=BY, order=order({order})), orders.release(by=BY, order=order({order}))"
    assert track.race(f"len([({both}) for _ in range(10)])", processes=4) == ["ok 10"] * 4
    assert track.run(f"order({order}).on_hold") == "False"


def test_a_merge_is_undone_once(track: Track) -> None:
    jane, twin = track.run("factories.patient().pk"), track.run("factories.patient().pk")
    track.run(f"patients.merge(by=BY, survivor=patient({jane}), loser=patient({twin})) and 1")
    results = track.race(f"unmerging.unmerge(by=BY, loser=patient({twin})) and 1", processes=4)
    assert Counter(results) == {"ok 1": 1, "MergeRefused": 3}


def test_merging_parting_and_ordering_at_once_leave_every_order_with_somebody_who_is_there(track: Track) -> None:
    jane, twin = track.run("factories.patient().pk"), track.run("factories.patient().pk")
    track.run("factories.exam() and factories.station() and 1")
    order = "[factories.order(patient=patient({}), start=None) and 1 for _ in range(6)] and 1"
    both = (
        f"patients.merge(by=BY, survivor=patient({jane}), loser=patient({twin})),"
        f"unmerging.unmerge(by=BY, loser=patient({twin}))"
    )
    over = f"len([({both}) for _ in range(6)])"
    results = track.race(order.format(twin), order.format(jane), order.format(twin), over)
    assert results == ["ok 1"] * 3 + ["ok 6"]
    assert track.run(f"Order.objects.filter(patient__in=[{jane}, {twin}]).count()") == "18"
    assert track.run(f"patient({twin}).merged_into_id") == "None"
    assert track.run(f"Order.objects.filter(patient={jane}).count() >= 6") == "True"


def test_a_chain_that_is_undone_while_an_order_comes_leaves_it_with_a_survivor(track: Track) -> None:
    for _ in range(4):
        a, b, c = (track.run(f"factories.patient({name!r}).pk") for name in "ABC")
        track.run(f"patients.merge(by=BY, survivor=patient({b}), loser=patient({a})) and 1")
        track.run(f"patients.merge(by=BY, survivor=patient({c}), loser=patient({b})) and 1")
        results = track.race(
            f"factories.order(patient=patient({a}), start=None) and 1",
            f"unmerging.unmerge(by=BY, loser=patient({b})) and 1",
            f"unmerging.unmerge(by=BY, loser=patient({a})) and 1",
        )
        assert results == ["ok 1"] * 3
        assert track.run(f"Order.objects.get(patient__in=[{a}, {b}, {c}]).patient.merged_into_id") == "None"


def test_a_visit_that_moves_while_its_patients_are_merged_ends_with_a_survivor(track: Track) -> None:
    for _ in range(4):
        a, b = track.run("factories.patient().pk"), track.run("factories.patient().pk")
        visit = track.run(f"factories.visit(patient=patient({a})).pk")
        move = "renumbering.move_visit(by=BY, visit=Visit.objects.get(pk={}), source=patient({}), to=patient({})) < 2"
        merge = f"patients.merge(by=BY, survivor=patient({a}), loser=patient({b})) and 1"
        assert track.race(move.format(visit, a, b), merge) == ["ok 1", "ok True"]
        assert track.run(f"Visit.objects.get(pk={visit}).patient_id") == a


def _waiting(track: Track, count: int, **values: str) -> list[int]:
    """So many steps that wait, each of a patient of its own."""
    more = "".join(f", {name}={value}" for name, value in values.items())
    made = track.run(f"[factories.step('REQUESTED'{more}).pk for _ in range({count})]")
    return [int(key) for key in made.strip("[]").split(",")]


_OVERLAPS = (
    "sum(1 for b in Booking.objects.active().filter(overbooked=False) if Booking.objects.active()"
    ".filter(overbooked=False, resource=b.resource_id, patient=b.patient_id).overlapping(b.start, b.end).count() > 1)"
)


def test_a_hundred_attempts_on_ten_slots_give_ten_bookings_and_ninety_words(track: Track) -> None:
    track.run("factories.station('CT7').pk")
    steps = _waiting(track, 100, exam="factories.exam('CTRACE', modality='CT')")
    slot = "factories.today_at(8 + number % 10, days=1)"
    attempts = [
        f"[tried(schedule.book, step=step(key), start={slot}, station=factories.station('CT7'))"
        f" for number, key in enumerate({steps[first::5]}, start={first})]"
        for first in range(5)
    ]
    results = [answer for result in track.race(*attempts) for answer in eval(result.removeprefix("ok "))]  # noqa: S307
    assert len(results) == 100
    assert results.count("ok True") == 10
    refused = [answer for answer in results if answer != "ok True"]
    assert all(re.fullmatch(r"SlotTaken: CT7 is taken until \d\d:20\.", answer) for answer in refused), refused
    booked = f"ScheduledProcedureStep.objects.filter(pk__in={steps}, state='SCHEDULED')"
    assert track.run(f"len(set({booked}.values_list('start', flat=True)))") == "10"
    assert track.run(_OVERLAPS) == "0"


def test_orders_with_promised_times_and_people_who_ask_leave_no_overlap_that_is_not_marked(track: Track) -> None:
    track.run("factories.station('CT8').pk and factories.exam().pk")
    steps = _waiting(track, 20, exam="factories.exam('CTRACE', modality='CT')")
    place = "start=factories.today_at(8 + number % 5, days=2), station=factories.station('CT8')"
    ask = "[tried(schedule.book, step=step(key), {}) for number, key in enumerate({})] and 1"
    send = f"[factories.order({place}) and 1 for number in range(10)] and 1"
    results = track.race(ask.format(place, steps[:10]), ask.format(place, steps[10:]), send, send)
    assert results == ["ok 1"] * 4
    assert track.run(_OVERLAPS) == "0"


def test_a_patient_who_is_booked_in_two_rooms_at_once_gets_one(track: Track) -> None:
    jane = track.run("factories.patient().pk")
    track.run("[factories.station(name).pk for name in ('CT5', 'MR5')]")
    for hour in range(8, 12):
        ct, mr = (
            _waiting(track, 1, patient=f"patient({jane})", exam=f"factories.exam('{code}')")[0]
            for code in ("CTRACE", "MRRACE")
        )
        book = "tried(schedule.book, step=step({}), start=factories.today_at({}, days=3))"
        results = track.race(book.format(ct, hour), book.format(mr, hour))
        words = "ok SlotTaken: The time is taken; somebody was quicker. Choose another one."
        late = f"ok SlotTaken: The patient has another exam until {hour:02}:20."
        assert "ok ok True" in results
        assert set(results) - {"ok ok True"} <= {words, late}
    assert track.run(_OVERLAPS) == "0"


def test_steps_that_change_places_while_others_are_moved_end_somewhere(track: Track) -> None:
    track.run("factories.station('CT6').pk")
    steps = _waiting(track, 3, exam="factories.exam('CTRACE', modality='CT')")
    for number, key in enumerate(steps):
        place = f"start=factories.today_at({8 + number}, days=4), station=factories.station('CT6')"
        track.run(f"schedule.book(by=BY, step=step({key}), {place})")
    one, two, three = steps
    swap = "[tried(together.swap, one=step({}), other=step({})) for _ in range(6)] and 1"
    results = track.race(swap.format(one, two), swap.format(two, three), swap.format(three, one), swap.format(two, one))
    assert results == ["ok 1"] * 4
    hours = track.run(f"sorted(s.start.hour for s in ScheduledProcedureStep.objects.filter(pk__in={steps}))")
    assert len(set(hours.strip("[]").split(", "))) == 3
    assert track.run(_OVERLAPS) == "0"


def test_swaps_across_orders_of_several_steps_wait_for_each_other_in_one_direction_only(track: Track) -> None:
    track.run("factories.station('CT3').pk")
    wish = "factories.request(exam=factories.exam('CTRACE', modality='CT'), start=None)"
    pairs = []
    for _ in range(2):
        order = track.run(f"factories.order(requests=[{wish}, {wish}]).pk")
        rows = f"ScheduledProcedureStep.objects.filter(requested_procedure__order={order}).order_by('pk')"
        pairs.append(track.run(f"list({rows}.values_list('pk', flat=True))").strip("[]").split(", "))
    (a, b), (c, d) = pairs
    for hour, key in enumerate((a, b, c, d), start=8):
        place = f"start=factories.today_at({hour}, days=6), station=factories.station('CT3')"
        track.run(f"schedule.book(by=BY, step=step({key}), {place})")
    swap = "[tried(together.swap, one=step({}), other=step({})) for _ in range(6)] and 1"
    results = track.race(swap.format(a, c), swap.format(d, b), swap.format(c, b), swap.format(d, a))
    assert results == ["ok 1"] * 4
    hours = f"sorted(s.start.hour for s in ScheduledProcedureStep.objects.filter(pk__in=[{a}, {b}, {c}, {d}]))"
    assert len(set(track.run(hours).strip("[]").split(", "))) == 4


def test_two_clerks_who_accept_one_offer_book_once_and_one_is_told(track: Track) -> None:
    track.run("factories.station('CT4').pk")
    ct4 = "exam=factories.exam('CTRACE', modality='CT'), station=factories.station('CT4')"
    start = f"factories.today_at({{}}, days={{}}), {ct4}"
    for hour in (8, 9, 10):
        gone, wants = (track.run(f"factories.step(start={start.format(hour, days)}).pk") for days in (5, 9))
        put_on = f"waiting_list.put_on(by=BY, step=step({wants}), stations=[factories.station('CT4').pk]).pk"
        track.run(put_on)
        track.run(f"exams.go('cancel', by=BY, step=step({gone})).pk")
        offer = track.run("SlotOffer.objects.open().get().pk")
        accept = f"waiting_list.accept(by=BY, offer=SlotOffer.objects.get(pk={offer})).pk"
        results = track.race(accept, processes=3)
        assert Counter(results) == {f"ok {wants}": 1, "OfferClosed": 2}
        told = f"Event.objects.filter(kind=EventKind.STEP_MOVED, step={wants}).count()"
        assert track.run(f"[{told}, step({wants}).start == factories.today_at({hour}, days=5)]") == "[1, True]"


def test_two_clerks_whose_patients_decline_look_for_another_time_one_after_the_other(track: Track) -> None:
    track.run("[factories.station(name).pk for name in ('OT2', 'OT3', 'OT4', 'MR6')]")
    nine = "start=factories.today_at(9, days=7)"
    free = track.run(f"factories.step({nine}, exam=factories.exam('OTLONG', duration=60)).pk")
    track.run(f"exams.go('cancel', by=BY, step=step({free})).pk")
    busy = track.run(f"factories.step({nine}, exam=factories.exam('MRRACE')).requested_procedure.order.patient_id")
    entries = []
    for priority, places, patient in (
        ("STAT", "OT2 OT3", "None"),
        ("HIGH", "OT2", f"patient({busy})"),  # who can use the second third of the free hour only
        ("ROUTINE", "OT2 OT4", "None"),
    ):
        (wants,) = _waiting(track, 1, exam="factories.exam('OTRACE')", patient=patient)
        keys = f"[factories.station(name).pk for name in {places!r}.split()]"
        wish = f"step=step({wants}), priority={priority!r}, stations={keys}"
        entries.append(track.run(f"WaitingListEntry.new({wish}).pk"))
    day = "start=factories.today_at(14, days=7), end=factories.today_at(15, days=7), expires_at=factories.today_at(12)"
    declines = []
    for entry, station in ((entries[0], "OT3"), (entries[2], "OT4")):
        what = f"entry=WaitingListEntry.objects.get(pk={entry}), station=factories.station({station!r})"
        offer = track.run(f"SlotOffer.new({what}, {day}, freed_by=step({free})).pk")
        decline = f"waiting_list.decline(by=BY, offer=SlotOffer.objects.get(pk={offer}))"
        declines.append(f"slowly_offering(lambda: {decline})")
    assert track.race(*declines) == ["ok None", "ok None"]
    offered = "SlotOffer.objects.open().filter(station__ae_title='OT2').order_by('start')"
    assert track.run(f"[f'{{timezone.localtime(o.start):%H:%M}}' for o in {offered}]") == "['09:00', '09:20', '09:40']"
