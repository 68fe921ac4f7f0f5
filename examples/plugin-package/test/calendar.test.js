import assert from "node:assert/strict"
import { test } from "node:test"
import { answer, isDay, parse, standard } from "../src/calendar.js"

test("a day is one that some year has", () => {
  for (const day of ["01-01", "02-29", "12-31"]) assert.equal(isDay(day), true, day)
  for (const day of ["02-30", "13-01", "00-10", "01-00", "1-1", "01-01 ", "today", ""]) {
    assert.equal(isDay(day), false, day)
  }
})

test("a calendar is read, and lines that are none are told", () => {
  const { calendar, wrong } = parse(
    "# December\n12-13 Lucy, Lucia # light\r\n\n12-32 Nobody\n12-14\n12-13 Odile\n"
  )
  assert.deepEqual(calendar.names.get("12-13"), ["Lucy", "Lucia", "Odile"])
  assert.equal(calendar.days.get("lucia"), "12-13")
  assert.deepEqual(wrong, [4, 5])
})

test("questions are answered", () => {
  /** @type {ReadonlyArray<[question: string, expected: string]>} */
  const cases = [
    ["06-29", "Peter, Paul"],
    ["06-30", "nobody"],
    ["lucy", "12-13"],
    [" Lucy ", "12-13"],
    ["", "Stephen"],
    ["TODAY", "Stephen"],
    ["02-30", "error: no such day"],
    ["constructor", "error: no such name"]
  ]
  for (const [question, expected] of cases)
    assert.equal(answer(standard, question, "12-26"), expected, question)
})
