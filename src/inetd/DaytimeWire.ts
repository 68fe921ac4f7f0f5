/**
 * Date and time as a line of text (RFC 867, which leaves the form open). Always UTC: a server does not say where it stands.
 *
 * - `rfc3339`: `2026-11-21T14:30:05Z`, for programs and people.
 * - `ctime`: `Sat Nov 21 14:30:05 2026`, what inetd says.
 */
export type Format = "rfc3339" | "ctime"

export const formats: ReadonlyArray<Format> = ["rfc3339", "ctime"]

const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** The line with its end, CR LF. */
export const line = (unixMillis: number, format: Format): string => {
  const date = new Date(unixMillis)
  // The same up to the seconds, and then the fraction.
  const iso = date.toISOString().replace(/\.\d+Z$/, "Z")
  if (format === "rfc3339") return `${iso}\r\n`
  const day = String(date.getUTCDate()).padStart(2)
  const time = iso.slice(-9, -1)
  return `${weekdays[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${time} ${date.getUTCFullYear()}\r\n`
}
