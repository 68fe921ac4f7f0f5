/**
 * Which name has which day: text to data, pure. A calendar has a line for each day, `MM-DD NAME, NAME`; what follows a `#` is for
 * people.
 */

/**
 * @typedef {object} Calendar
 * @property {ReadonlyMap<string, ReadonlyArray<string>>} names Who has a day, by `MM-DD`.
 * @property {ReadonlyMap<string, string>} days The day of a name in lower case; the first one, if it has several.
 */

/**
 * @typedef {object} Parsed
 * @property {Calendar} calendar
 * @property {ReadonlyArray<number>} wrong The lines, from 1, that are none of a calendar.
 */

const daysOfMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Whether it is a day that some year has, as `MM-DD`.
 *
 * @param {string} text
 * @returns {boolean}
 */
export const isDay = (text) => {
  const [, month, day] = /^(\d\d)-(\d\d)$/.exec(text) ?? []
  return Number(day) >= 1 && Number(day) <= (daysOfMonth[Number(month) - 1] ?? 0)
}

/**
 * @param {string} text
 * @returns {Parsed}
 */
export const parse = (text) => {
  /** @type {Map<string, Array<string>>} */
  const names = new Map()
  /** @type {Map<string, string>} */
  const days = new Map()
  /** @type {Array<number>} */
  const wrong = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.replace(/#.*/, "").trim()
    if (content === "") continue
    const [day = "", ...words] = content.split(/\s+/)
    const found = words
      .join(" ")
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "")
    if (!isDay(day) || found.length === 0) {
      wrong.push(index + 1)
      continue
    }
    names.set(day, [...(names.get(day) ?? []), ...found])
    for (const name of found) if (!days.has(name.toLowerCase())) days.set(name.toLowerCase(), day)
  }
  return { calendar: { names, days }, wrong }
}

/** A few days that many countries share. */
export const standard = parse(`
01-01 Basil
01-20 Sebastian
01-24 Francis
02-14 Valentine
03-01 David
03-17 Patrick
03-19 Joseph
04-23 George
04-25 Mark
06-24 John
06-29 Peter, Paul
07-22 Magdalene
07-25 James
07-26 Anne
08-10 Lawrence
08-24 Bartholomew
09-21 Matthew
09-29 Michael
10-18 Luke
11-11 Martin
11-22 Cecilia
11-25 Catherine
11-30 Andrew
12-04 Barbara
12-06 Nicholas
12-13 Lucy
12-26 Stephen
12-31 Sylvester
`).calendar

/**
 * What is answered: to `MM-DD` the names, to a name its day, to `today` or nothing the names of today.
 *
 * @param {Calendar} calendar
 * @param {string} question
 * @param {string} today As `MM-DD`.
 * @returns {string}
 */
export const answer = (calendar, question, today) => {
  const asked = question.trim()
  const day = asked === "" || asked.toLowerCase() === "today" ? today : asked
  if (isDay(day)) return (calendar.names.get(day) ?? ["nobody"]).join(", ")
  if (/^\d/.test(day)) return "error: no such day"
  return calendar.days.get(day.toLowerCase()) ?? "error: no such name"
}
