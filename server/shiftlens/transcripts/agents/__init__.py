"""Readers of what agents and their tracers log, one format a module."""
