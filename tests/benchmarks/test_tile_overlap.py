"""The command that docs/network.md names runs as it is printed there."""

from benchmarks import tile_overlap


def test_without_arguments(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(tile_overlap, "curve", lambda net, center: seen.append(center.shape) or [50.0])
    tile_overlap.main([])
    assert seen == [(1, 3, *tile_overlap.CROP)] * 4
    assert "averaging weights" in capsys.readouterr().out
