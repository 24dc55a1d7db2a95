"""Titles and synopses from a small grammar; the words depend on genre, mood, tempo and setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.catalogue.world import Film


@dataclass(frozen=True)
class Vocabulary:
    """The words of one genre."""

    nouns: Sequence[str]
    heroes: Sequence[str]
    city: Sequence[str]
    wild: Sequence[str]
    goals: Sequence[str]
    threats: Sequence[str]


WORDS = {
    "western": Vocabulary(
        nouns=("Canyon", "Saddle", "Mesa", "Prairie", "Spur", "Coyote", "Stagecoach", "Dust"),
        heroes=(
            "a retired sheriff",
            "a horse breaker",
            "a widowed rancher",
            "a young bounty hunter",
            "a railway surveyor",
        ),
        city=("a railway boom town", "the saloons of Dodge Street", "a mining settlement", "the telegraph office"),
        wild=("the red canyons", "an empty prairie", "the high desert", "a dry riverbed below the mesa"),
        goals=(
            "drive the last herd north",
            "win back a stolen ranch",
            "bring an outlaw to trial",
            "cross the desert alone",
        ),
        threats=("a gang of rustlers", "a crooked land agent", "a silent gunslinger", "a ruinous drought"),
    ),
    "science fiction": Vocabulary(
        nouns=("Orbit", "Signal", "Android", "Nebula", "Colony", "Horizon", "Reactor", "Comet"),
        heroes=(
            "a salvage pilot",
            "the last navigator",
            "an android doctor",
            "a quantum physicist",
            "a stowaway engineer",
        ),
        city=(
            "a crowded orbital station",
            "the neon levels of a domed city",
            "a starship's lower decks",
            "the lunar port",
        ),
        wild=(
            "an uncharted moon",
            "the rings of a gas giant",
            "a frozen alien world",
            "the silence beyond the last beacon",
        ),
        goals=(
            "decode a signal from deep space",
            "restart a dying reactor",
            "bring a colony ship home",
            "prove a machine can dream",
        ),
        threats=("a rogue artificial mind", "an alien swarm", "a collapsing wormhole", "a ruthless mining corporation"),
    ),
    "romance": Vocabulary(
        nouns=("Letter", "Promise", "Rose", "Waltz", "Kiss", "Garden", "Wedding", "Violin"),
        heroes=(
            "a shy florist",
            "a concert violinist",
            "a divorced baker",
            "a travelling photographer",
            "a wedding planner",
        ),
        city=(
            "a rooftop flat in the old town",
            "the cafés along the boulevard",
            "a busy bookshop",
            "a jazz club by the bridge",
        ),
        wild=("a lavender farm", "a cottage by the lake", "the rose gardens in the hills", "a vineyard at harvest"),
        goals=(
            "find the author of a love letter",
            "save a first marriage",
            "dance one last waltz",
            "say what was never said",
        ),
        threats=("an old engagement", "a jealous sister", "a job on another continent", "a misread message"),
    ),
    "horror": Vocabulary(
        nouns=("Cellar", "Crypt", "Whisper", "Raven", "Asylum", "Grave", "Fog", "Mirror"),
        heroes=("a night nurse", "a sleepless priest", "an orphaned girl", "a young archivist", "a grieving widow"),
        city=(
            "an abandoned hospital",
            "a tenement with bricked-up windows",
            "the tunnels under the city",
            "a shuttered theatre",
        ),
        wild=(
            "a house at the edge of the forest",
            "a drowned village",
            "a graveyard on the moor",
            "the black pine woods",
        ),
        goals=(
            "survive until sunrise",
            "learn who walks upstairs",
            "break a family curse",
            "bury the thing a second time",
        ),
        threats=("a faceless visitor", "a hungry spirit", "something that knocks from below", "a cult without names"),
    ),
    "seafaring": Vocabulary(
        nouns=("Tide", "Anchor", "Lighthouse", "Compass", "Mutiny", "Reef", "Harbour", "Albatross"),
        heroes=(
            "a runaway cabin boy",
            "a disgraced captain",
            "a pearl diver",
            "a lighthouse keeper",
            "a ship's cartographer",
        ),
        city=("a smugglers' harbour", "the docks of a trading port", "a shipyard on strike", "the admiralty's archive"),
        wild=("an unmapped archipelago", "the roaring southern ocean", "a coral reef", "the ice at the end of the map"),
        goals=(
            "find a sunken galleon",
            "round the cape before winter",
            "clear a captain's name",
            "follow the whales home",
        ),
        threats=("a mutinous crew", "a pirate queen", "a hurricane", "a rival expedition"),
    ),
    "carnival": Vocabulary(
        nouns=("Balloon", "Parade", "Juggler", "Clown", "Circus", "Lantern", "Trapeze", "Confetti"),
        heroes=(
            "a clumsy magician",
            "a retired acrobat",
            "a talking-parrot trainer",
            "a puppet maker",
            "a brass-band drummer",
        ),
        city=(
            "a travelling circus in the market square",
            "the city's biggest parade",
            "a bankrupt theatre",
            "a funfair on the pier",
        ),
        wild=(
            "a caravan on a country road",
            "a meadow full of tents",
            "a village fair in the mountains",
            "a hot-air balloon race",
        ),
        goals=(
            "save the circus in one weekend",
            "win the golden trumpet",
            "teach an elephant to waltz",
            "stage the perfect prank",
        ),
        threats=("a humourless mayor", "a rival troupe", "three identical twins", "a runaway lion with stage fright"),
    ),
}
# From the lowest to the highest value of each trait.
MOODS = ("bleak", "sombre", "bittersweet", "warm", "radiant")
ENDINGS = (
    "Nothing is left unbroken, and the night does not end.",
    "What is saved comes at a terrible price.",
    "Some doors close, and some are left ajar.",
    "In the end there is more laughter than anyone had hoped for.",
    "It closes in sunlight, with everyone singing.",
)
PACES = (
    "The story takes its time, with long silences and slow walks.",
    "Patiently, one quiet day follows another.",
    "Step by step the pieces fall into place.",
    "Soon the hours are running out and everyone is on the move.",
    "From the first minute it is a breathless chase without a pause.",
)
QUALITIES = (
    ("Last", "Lost", "Black", "Broken"),
    ("Silent", "Hollow", "Cold", "Forgotten"),
    ("Second", "Distant", "Hidden", "Blue"),
    ("Golden", "Gentle", "Lucky", "Little"),
    ("Shining", "Merry", "Bright", "Glorious"),
)


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _step(value: float) -> int:
    """Return a trait from 0 to 1 as one of five steps."""
    return min(int(value * 5), 4)


def title(film: Film) -> str:
    """Return the film's title, such as "The Hollow Lighthouse": the adjective follows the mood, the noun the genre."""
    rng = film.stream("title")
    noun, quality = _pick(rng, WORDS[film.genre].nouns), _pick(rng, QUALITIES[_step(film.mood)])
    other = _pick(rng, WORDS[film.second_genre[0]].nouns)
    forms = (f"The {quality} {noun}", f"{quality} {noun}", f"{noun} of the {other}", f"The {noun} and the {other}")
    usable = forms if other != noun else forms[:2]
    return _pick(rng, usable)


def write_synopsis(film: Film) -> str:
    """Return four to six English sentences: hero and place, goal, opponent, pace and ending."""
    rng = film.stream("synopsis")
    words, (second, share) = WORDS[film.genre], film.second_genre
    hero = _pick(rng, words.heroes)
    place = _pick(rng, words.wild if rng.random() < film.wild else words.city)
    goal, threat, mood = _pick(rng, words.goals), _pick(rng, words.threats), MOODS[_step(film.mood)]
    article = "an" if mood[0] in "aeiou" else "a"
    openings = (
        f"In {place}, {hero} sets out to {goal}.",
        f"{hero[0].upper()}{hero[1:]} comes to {place} to {goal}.",
        f"Nobody in {place} believes that {hero} can {goal}.",
    )
    turns = (f"But {threat} stands in the way.", f"Then {threat} appears.", f"Only {threat} was not part of the plan.")
    sentences = [_pick(rng, openings), _pick(rng, turns)]
    if share > 0.15:
        other = WORDS[second]
        helper, past = _pick(rng, other.heroes), _pick(rng, other.threats)
        sentences.append(f"Help comes from {helper}, who has seen {past} before.")
    sentences.append(PACES[_step(film.tempo)])
    kind = f"{film.genre} film" if rng.random() < 0.5 else "film"
    theme = _pick(rng, ("trust", "courage", "memory", "freedom", "home"))
    sentences.append(f"{title(film)} is {article} {mood} {kind} about {theme}.")
    if rng.random() < 0.8:
        sentences.append(ENDINGS[_step(film.mood)])
    return " ".join(sentences) + "\n"
