"""The demo department: an invented hospital and clinic with their patients and three weeks of orders.

Tables (sites, exams, people) and a pure plan from a seed and a day; `load` acts the plan out through the verbs.
"""
