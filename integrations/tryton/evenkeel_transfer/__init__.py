# SPDX-License-Identifier: GPL-3.0-or-later
"""A Tryton module: internal shipments that are made once for each key of Evenkeel."""
