"""What the pages of the frameworks show: a table of one hundred rows."""

ROWS = [
    {"number": number, "name": f"Entry number {number}", "city": f"City & Sons {number % 7}", "amount": number * 13.5}
    for number in range(1, 101)
]
