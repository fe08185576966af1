"""What is drawn depends on the place alone."""

import random
import subprocess
import sys

import torch

from speechbrain_semamba.utils.seeding import drawing_at, seed_of


def draw(*place):
    with drawing_at(*place):
        return random.random(), torch.rand(1).item()


def test_places_differ():
    places = [(1, 2), (2, 1), (12,), ("1", 2, ""), (1, 2, 3)]
    assert len({seed_of(*place) for place in places}) == len(places)
    assert len({draw(*place) for place in places}) == len(places)


def test_every_process_draws_the_same():
    code = "from speechbrain_semamba.utils.seeding import seed_of as s;"
    code += "print(s(1234, 'p226_001'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert int(run.stdout) == seed_of(1234, "p226_001")


def test_seed_fits_the_generators():
    for place in range(100):
        torch.Generator().manual_seed(seed_of(place))
        assert 0 <= seed_of(place) < 2**63


def test_drawing_leaves_the_generators_as_they_were():
    random.seed(1)
    torch.manual_seed(1)
    expected = random.random(), torch.rand(1).item()
    random.seed(1)
    torch.manual_seed(1)
    threads = torch.get_num_threads()
    draw("elsewhere")
    assert (random.random(), torch.rand(1).item()) == expected
    assert torch.get_num_threads() == threads
