from kubepy.api.validation.checks import amount_of, at_most_100_percent


def test_a_percentage_without_end_is_more_than_a_hundred() -> None:
    many = "9" * 5000 + "%"
    assert [str(fault) for fault in at_most_100_percent(many, "x")] == [
        f'x: Invalid value: "{many}": must not be greater than 100%'
    ]
    assert amount_of("0" * 5000 + "7%") == 7
