"""The present objects of one resource: by key, in key order, and by the labels and fields that lists ask for.

Two parallel lists, keys and objects, are kept sorted, so that a plain list is a slice. An index on a label or a
field is built when a list first pins it, and kept up from then on; a list by it then costs as much as it finds.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from kubepy.storage.cached import CachedObject
from kubepy.storage.selection import Pin, Selection

_INDEXES_AT_MOST = 32
_SCAN_AT_MOST = 64
"""So few objects are scanned rather than indexed."""
_SAMPLE = 32

_Index = dict[str, dict[str, CachedObject]]


class Objects:
    """See the module's docstring; `prefix` is the folder that all keys begin with."""

    def __init__(self, prefix: str, objects: Iterable[CachedObject] = ()) -> None:
        self._prefix = prefix
        self._sorted = sorted(objects, key=lambda obj: obj.key)
        self._keys = [obj.key for obj in self._sorted]
        self._by_key = dict(zip(self._keys, self._sorted, strict=True))
        self._indexes: dict[tuple[bool, str], _Index] = {}
        self.get = self._by_key.get

    def __len__(self) -> int:
        return len(self._keys)

    def mean_bytes(self) -> int:
        """Mean size of an object, by a sample."""
        sample = self._sorted[:: len(self._sorted) // _SAMPLE + 1]
        return sum(len(obj.data) for obj in sample) // max(len(sample), 1)

    def put(self, obj: CachedObject) -> None:
        """Adds the object, or replaces the one at its key."""
        key = obj.key
        previous = self._by_key.get(key)
        at = bisect_left(self._keys, key)
        if previous is None:
            self._keys.insert(at, key)
            self._sorted.insert(at, obj)
        else:
            self._sorted[at] = obj
        self._by_key[key] = obj
        for (of_labels, name), index in self._indexes.items():
            if previous is not None:
                _drop(index, _maps(previous, of_labels).get(name), key)
            value = _maps(obj, of_labels).get(name)
            if value is not None:
                index.setdefault(value, {})[key] = obj

    def pop(self, key: str) -> None:
        """Removes the object at the key, which must be there."""
        previous = self._by_key.pop(key)
        at = bisect_left(self._keys, key)
        del self._keys[at], self._sorted[at]
        for (of_labels, name), index in self._indexes.items():
            _drop(index, _maps(previous, of_labels).get(name), key)

    def select(self, selection: Selection) -> list[CachedObject]:
        """What is selected, in key order; the list is the caller's."""
        if selection.name is not None and selection.namespace is not None:
            folder = f"{selection.namespace}/" if selection.namespace else ""
            one = self._by_key.get(f"{self._prefix}{folder}{selection.name}")
            found = [one] if one is not None else []
        elif selection.is_plain:
            return self._range(selection.namespace)
        else:
            found = self._candidates(selection)
        return list(filter(selection.test(), found))

    def _range(self, namespace: str | None) -> list[CachedObject]:
        if not namespace:
            return self._sorted[:] if namespace is None else [obj for obj in self._sorted if not obj.namespace]
        low = bisect_left(self._keys, f"{self._prefix}{namespace}/")
        return self._sorted[low : bisect_left(self._keys, f"{self._prefix}{namespace}0", low)]

    def _candidates(self, selection: Selection) -> list[CachedObject]:
        """A superset of what is selected, in key order, by the pin that leaves the fewest."""
        best: list[dict[str, CachedObject]] | None = None
        fewest = 0
        for pin in selection.pins() if len(self._keys) > _SCAN_AT_MOST else ():
            index = self._index(pin)
            if index is None or "" in pin.values:  # a field that is missing counts as empty
                continue
            hits = [index[value] for value in pin.values if value in index]
            count = sum(map(len, hits))
            if best is None or count < fewest:
                best, fewest = hits, count
        if best is None:
            return self._range(selection.namespace)
        return [obj for _, obj in sorted(pair for hit in best for pair in hit.items())]

    def _index(self, pin: Pin) -> _Index | None:
        place = (pin.of_labels, pin.name)
        index = self._indexes.get(place)
        if index is None and len(self._indexes) < _INDEXES_AT_MOST:
            index = self._indexes[place] = {}
            for obj in self._sorted:
                value = _maps(obj, pin.of_labels).get(pin.name)
                if value is not None:
                    index.setdefault(value, {})[obj.key] = obj
        return index


def _maps(obj: CachedObject, of_labels: bool) -> Mapping[str, str]:
    return obj.labels if of_labels else obj.fields


def _drop(index: _Index, value: str | None, key: str) -> None:
    hits = index.get(value) if value is not None else None
    if hits is not None:
        hits.pop(key, None)
        if not hits:
            del index[value]  # type: ignore[arg-type]  # hits were found, so value is a string
