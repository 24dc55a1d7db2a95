"""A generated catalogue of films, whose content determines posters, sounds, synopses and the tastes of its viewers."""

from tasks.catalogue.broken import spoil
from tasks.catalogue.posters import draw_poster, encode_poster
from tasks.catalogue.records import item_records
from tasks.catalogue.sounds import RATE, encode_sound, synthesise
from tasks.catalogue.synopses import title, write_synopsis
from tasks.catalogue.tastes import fits, viewing_log
from tasks.catalogue.world import GENRES, Film, Viewer, film, viewer

__all__ = [
    "GENRES",
    "RATE",
    "Film",
    "Viewer",
    "draw_poster",
    "encode_poster",
    "encode_sound",
    "film",
    "fits",
    "item_records",
    "spoil",
    "synthesise",
    "title",
    "viewer",
    "viewing_log",
    "write_synopsis",
]
