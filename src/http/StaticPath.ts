/**
 * The path of a request as names of files, or nothing: what could lead anywhere else than its text says is none. Pure.
 * RFC 3986 §3.3, §6.2.2.
 */

export interface StaticPath {
  /** Decoded; never empty, `.`, `..`, nor with a separator. */
  readonly segments: ReadonlyArray<string>
  /** It ends with a slash: a directory is meant. */
  readonly isDirectory: boolean
}

// Separators of any system, and what would be cut off or change lines somewhere.
// oxlint-disable-next-line no-control-regex
const forbidden = /[/\\\u0000-\u001f\u007f]/

const isName = (segment: string): boolean =>
  segment !== "" && segment !== "." && segment !== ".." && !forbidden.test(segment)

const decoded = (segment: string): string | undefined => {
  if (!segment.includes("%")) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** The part of a URL in front of its query. */
export const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

/** Of a request's `url`. Two slashes in a row name nothing: what looks like one path is to be one. */
export const parse = (url: string): StaticPath | undefined => {
  const parts = pathOf(url).split("/")
  if (parts.length < 2 || parts[0] !== "") return undefined
  const last = parts.length - 1
  const isDirectory = parts[last] === ""
  const segments: Array<string> = []
  for (let i = 1; i < (isDirectory ? last : parts.length); i++) {
    const segment = decoded(parts[i]!)
    if (segment === undefined || !isName(segment)) return undefined
    segments.push(segment)
  }
  return { segments, isDirectory }
}

/** A name that begins with a dot is not for everybody: `.git`, `.env`, `.htpasswd`. `/.well-known/` is (RFC 8615). */
export const isHidden = (segments: ReadonlyArray<string>): boolean =>
  segments.some((segment, i) => segment.startsWith(".") && !(i === 0 && segment === ".well-known"))

const windowsForbidden = /[<>:"|?*]|[. ]$/
const windowsDevice = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])($|[. ])/i

/** Windows takes it for something else: a device, a stream of a file, a name without its last dot. */
export const isWindowsName = (segments: ReadonlyArray<string>): boolean =>
  segments.some((segment) => windowsForbidden.test(segment) || windowsDevice.test(segment))
