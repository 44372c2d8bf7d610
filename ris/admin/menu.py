"""The floor's entries in the menu and its panels on the first page."""

from django.utils.translation import gettext_lazy as _

from ris.desk import CALENDAR, CATALOG, CONTROL, EVERYBODY, Page, Panel, register_page, register_panel
from ris.roles import Role
from ris.views import board, home, leftovers, performed, safety, waiting_list

register_page(Page(_("Patients"), "ris_patient_changelist", "ris.view_patient", 10))
register_page(Page(_("Orders"), "ris_order_changelist", "ris.view_order", 20))
register_page(Page(_("Day board"), "ris_board", "ris.view_scheduledprocedurestep", 28, route="board/", view=board.show))
register_page(Page(_("Schedule"), "ris_scheduledprocedurestep_changelist", "ris.view_scheduledprocedurestep", 30))
register_page(Page(_("Performed"), "ris_performedprocedurestep_changelist", "ris.view_performedprocedurestep", 35))
register_page(Page(_("Left over"), "ris_left_over", "ris.perform_step", 36, route="left-over/", view=leftovers.board))
register_page(
    Page(_("Safety"), "ris_safety_open", "ris.view_screeninganswer", 37, route="safety/", view=safety.open_list)
)
register_page(
    Page(_("Waiting list"), "ris_waiting_list", waiting_list.SEE, 32, route="waiting-list/", view=waiting_list.board)
)
register_page(Page(_("Exams"), "ris_exam_changelist", "ris.view_exam", 60, group=CATALOG))
register_page(
    Page(_("Safety questions"), "ris_screeningrule_changelist", "ris.change_screeningrule", 63, group=CATALOG)
)
register_page(Page(_("Stations"), "ris_station_changelist", "ris.view_station", 61, group=CATALOG))
register_page(Page(_("Resources"), "ris_resource_changelist", "ris.change_resource", 50, group=CALENDAR))
register_page(Page(_("Opening hours"), "ris_openinghours_changelist", "ris.change_openinghours", 51, group=CALENDAR))
register_page(Page(_("Blocks"), "ris_block_changelist", "ris.change_block", 52, group=CALENDAR))
register_page(Page(_("Closures"), "ris_closure_changelist", "ris.change_closure", 53, group=CALENDAR))
register_page(Page(_("Sites"), "ris_site_changelist", "ris.change_site", 62, group=CATALOG))
register_page(Page(_("Audit trail"), "ris_event_changelist", "ris.view_event", 80, group=CONTROL))
register_page(Page(_("Accounts"), "ris_user_changelist", "ris.view_user", 90, group=CONTROL))

_DESKS = (Role.FRONT_DESK, Role.SCHEDULER, Role.RADIOLOGIST)
_SCHEDULING = (Role.FRONT_DESK, Role.SCHEDULER, Role.INFORMATICS)

register_panel(
    Panel("find", "desk/panel_find.html", "ris.view_patient", 0, home.find, roles=EVERYBODY, leads=EVERYBODY)
)
register_panel(
    Panel(
        "today",
        "desk/panel_today.html",
        "ris.view_scheduledprocedurestep",
        10,
        home.today,
        roles=_DESKS,
        leads=(Role.FRONT_DESK, Role.RADIOLOGIST),
    )
)
register_panel(
    Panel(
        "to schedule",
        "desk/panel_to_schedule.html",
        "ris.book_step",
        20,
        home.to_schedule,
        roles=_SCHEDULING,
        leads=(Role.SCHEDULER,),
    )
)
register_panel(
    Panel(
        "waiting list",
        "desk/panel_waiting_list.html",
        waiting_list.SEE,
        22,
        waiting_list.panel,
        roles=(Role.FRONT_DESK, Role.SCHEDULER),
        leads=(Role.SCHEDULER,),
    )
)
register_panel(
    Panel(
        "attention",
        "desk/panel_attention.html",
        "ris.settle_order",
        30,
        home.attention,
        roles=(*_SCHEDULING, Role.TECHNOLOGIST),
        leads=(Role.INFORMATICS,),
    )
)
register_panel(
    Panel(
        "performed",
        "desk/panel_performed.html",
        "ris.link_performedprocedurestep",
        32,
        performed.waiting,
        roles=(Role.TECHNOLOGIST, Role.INFORMATICS),
    )
)
register_panel(
    Panel(
        "my station",
        "desk/panel_station.html",
        "ris.perform_step",
        5,
        home.my_station,
        roles=(Role.TECHNOLOGIST,),
        leads=(Role.TECHNOLOGIST,),
    )
)
register_panel(
    Panel(
        "safety",
        "desk/panel_safety.html",
        "ris.override_gate",
        6,
        home.held_back,
        roles=(Role.RADIOLOGIST,),
        leads=(Role.RADIOLOGIST,),
    )
)
register_panel(
    Panel(
        "accounts",
        "desk/panel_accounts.html",
        "ris.view_user",
        50,
        home.accounts,
        roles=(Role.ADMINISTRATOR,),
        leads=(Role.ADMINISTRATOR,),
    )
)
