/** Where things are in a JSON text: the line of every key, and of the first mistake. `JSON.parse` tells neither for certain. */

export interface Mistake {
  readonly line: number
  readonly column: number
  /** Without anything of the text: it may hold secrets. */
  readonly detail: string
}

export interface Places {
  /** The line of every key, by its path joined with dots; the first is 1. */
  readonly lines: ReadonlyMap<string, number>
  /** Keys that stand twice in one object: the last one holds. */
  readonly duplicates: ReadonlyArray<string>
  readonly mistake: Mistake | undefined
}

const depthMax = 200
const doubleQuote = 0x22
const backslash = 0x5c
const space = 0x20
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** How many characters the escape takes; 0 if it is none. */
const escapeAt = (source: string, at: number): number => {
  escaped.lastIndex = at
  return escaped.exec(source)?.[0].length ?? 0
}

const scalar = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-])/y
const blank = /[ \t\r\n]*/y

class Stop extends Error {
  readonly offset: number
  constructor(offset: number, detail: string) {
    super(detail)
    this.offset = offset
  }
}

class Scanner {
  readonly lines = new Map<string, number>()
  readonly duplicates: Array<string> = []
  private readonly source: string
  private offset = 0
  private line = 1
  private lineFrom = 0

  constructor(source: string) {
    this.source = source
  }

  document(): void {
    this.value("", 0)
    if (this.peek() !== "") this.stop("nothing more was expected")
  }

  private stop(detail: string, offset = this.offset): never {
    throw new Stop(offset, detail)
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.offset
    const found = pattern.exec(this.source)?.[0]
    if (found !== undefined) this.offset += found.length
    return found
  }

  /** The next character that is not blank; empty at the end. */
  private peek(): string {
    this.take(blank)
    return this.source[this.offset] ?? ""
  }

  private lineHere(): number {
    for (;;) {
      const newline = this.source.indexOf("\n", this.lineFrom)
      if (newline < 0 || newline >= this.offset) return this.line
      this.line++
      this.lineFrom = newline + 1
    }
  }

  private value(path: string, depth: number): void {
    if (depth > depthMax) this.stop(`it is nested deeper than ${depthMax}`)
    const next = this.peek()
    if (next === "{") this.object(path, depth)
    else if (next === "[") this.array(path, depth)
    else if (next === '"') this.text()
    else if (this.take(scalar) === undefined) {
      this.stop(next === "" ? "it ends where a value was expected" : "a value was expected")
    }
  }

  /** As it stands, with its quotes. */
  private text(): string {
    const from = this.offset
    for (let at = from + 1; ; at++) {
      const code = this.source.charCodeAt(at)
      if (code === doubleQuote) {
        this.offset = at + 1
        return this.source.slice(from, at + 1)
      }
      if (code === backslash) {
        const escape = escapeAt(this.source, at)
        if (escape === 0) this.stop("a text with a backslash before what needs none", at)
        at += escape - 1
      } else if (Number.isNaN(code) || code < space) {
        this.stop("a text that does not end, or holds a character that has to be escaped", at)
      }
    }
  }

  private object(path: string, depth: number): void {
    const known = new Set<string>()
    this.items("}", () => {
      if (this.peek() !== '"') this.stop("a key in double quotes was expected")
      const line = this.lineHere()
      const key = JSON.parse(this.text()) as string
      const below = path === "" ? key : `${path}.${key}`
      if (known.has(key)) this.duplicates.push(below)
      known.add(key)
      this.lines.set(below, line)
      if (this.peek() !== ":") this.stop("a colon was expected")
      this.offset++
      this.value(below, depth + 1)
    })
  }

  private array(path: string, depth: number): void {
    let index = 0
    this.items("]", () => {
      this.peek()
      const below = path === "" ? String(index) : `${path}.${index}`
      this.lines.set(below, this.lineHere())
      index++
      this.value(below, depth + 1)
    })
  }

  private items(end: "}" | "]", item: () => void): void {
    this.offset++
    if (this.peek() !== end) {
      for (;;) {
        item()
        const next = this.peek()
        if (next === end) break
        if (next !== ",") this.stop(`a comma or ${end} was expected`)
        this.offset++
        if (this.peek() === end) this.stop("a comma with nothing behind it")
      }
    }
    this.offset++
  }
}

const mistakeAt = (source: string, { offset, message }: Stop): Mistake => {
  const before = source.slice(0, offset)
  const line = before.split("\n").length
  return { line, column: offset - (before.lastIndexOf("\n") + 1) + 1, detail: message }
}

export const places = (source: string): Places => {
  const scanner = new Scanner(source)
  const { duplicates, lines } = scanner
  try {
    scanner.document()
    return { lines, duplicates, mistake: undefined }
  } catch (error) {
    if (error instanceof Stop) return { lines, duplicates, mistake: mistakeAt(source, error) }
    throw error
  }
}
