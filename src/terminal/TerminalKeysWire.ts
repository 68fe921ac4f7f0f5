/**
 * What somebody types, as terminals send it: text in UTF-8, control characters, and the escape sequences of xterm and its kind
 * (ECMA-48). Pure.
 */

export type KeyName =
  | "enter"
  | "tab"
  | "backspace"
  | "delete"
  | "escape"
  | "up"
  | "down"
  | "left"
  | "right"
  | "home"
  | "end"
  | "pageUp"
  | "pageDown"
  | "insert"
  | "backTab"

export type Key =
  /** Characters that can be seen; several where they came together. */
  | { readonly _tag: "Text"; readonly text: string }
  /** Of a bracketed paste, a piece: characters that can be seen, tabs, and `\n`; the last new lines are left out. Nothing in it is a key. */
  | { readonly _tag: "Paste"; readonly text: string }
  /** A key with a name, or (`ctrl`, `alt`) a letter. */
  | {
      readonly _tag: "Press"
      readonly key: KeyName | (string & {})
      readonly ctrl: boolean
      readonly alt: boolean
    }

/** The longest escape sequence; what is longer is none, and dropped. */
const sequenceMax = 32

const finals: Readonly<Record<string, KeyName>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  Z: "backTab",
  M: "enter"
}

const numbers: Readonly<Record<string, KeyName>> = {
  1: "home",
  2: "insert",
  3: "delete",
  4: "end",
  5: "pageUp",
  6: "pageDown",
  7: "home",
  8: "end"
}

const controls: Readonly<Record<number, KeyName>> = {
  0x08: "backspace",
  0x09: "tab",
  0x0a: "enter",
  0x0d: "enter",
  0x7f: "backspace"
}

/** Not text: controls, line ends, halves of pairs, and what turns the direction of what stands around it. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffd]/gu

const plain = /^[ -~]+$/

export const press = (
  key: KeyName | (string & {}),
  modifiers: { readonly ctrl?: boolean; readonly alt?: boolean } = {}
): Key => ({
  _tag: "Press",
  key,
  ctrl: modifiers.ctrl ?? false,
  alt: modifiers.alt ?? false
})

export const text = (of: string): Key => ({ _tag: "Text", text: of })

export const paste = (of: string): Key => ({ _tag: "Paste", text: of })

/** Makes a terminal say where a paste begins and ends, and stops that (xterm, `DECSET 2004`). */
export const pasteOn = "\x1b[?2004h"
export const pasteOff = "\x1b[?2004l"
const pasteBegins = "200"
const pasteEnds = "\x1b[201~"
/** New lines of a paste that are kept until something follows; what is more is one too many. */
const pasteLinesMax = 64

type State = "text" | "escape" | "sequence" | "function" | "paste"

/** Bytes to keys, however they are cut, but for text and pastes, which come as they were cut. CR LF and CR NUL are one Enter. Never fails. */
export class TerminalKeysDecoder {
  private readonly utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  private state: State = "text"
  private sequence = ""
  private afterReturn = false
  /** New lines of a paste that nothing has followed yet. */
  private pasteLines = 0

  /** Whether a lone escape waits for what may follow; `flush` says that nothing does. */
  get waits(): boolean {
    return this.state !== "text" && this.state !== "paste"
  }

  private get isPasting(): boolean {
    return this.state === "paste"
  }

  push(bytes: Uint8Array): ReadonlyArray<Key> {
    const typed = this.utf8.decode(bytes, { stream: true })
    // Most of what comes in large pieces.
    if (this.state === "text" && plain.test(typed)) {
      this.afterReturn = false
      return [text(typed)]
    }
    const keys: Array<Key> = []
    let seen = ""
    let pasted = ""
    const flushText = () => {
      const shown = seen.replace(unseen, "")
      if (shown !== "") keys.push(text(shown))
      if (pasted !== "") keys.push(paste(pasted))
      seen = ""
      pasted = ""
    }
    for (const character of typed) {
      const code = character.codePointAt(0)!
      if (this.isPasting) {
        pasted += this.pasted(character)
        if (!this.isPasting) flushText()
        continue
      }
      const after = this.afterReturn
      this.afterReturn = false
      if (this.state === "text" && code >= 0x20 && code !== 0x7f) {
        seen += character
        continue
      }
      flushText()
      if (this.state === "text" && after && (code === 0x0a || code === 0)) continue
      const key = this.key(character, code)
      if (key !== undefined) keys.push(key)
    }
    flushText()
    return keys
  }

  /** An escape that nothing came behind is the key. */
  flush(): ReadonlyArray<Key> {
    const isKey = this.state === "escape"
    if (this.state !== "paste") this.state = "text"
    return isKey ? [press("escape")] : []
  }

  /** What a character of a paste is as text. A sequence in it is no sequence: only its end is. */
  private pasted(character: string): string {
    const tail = this.sequence + character
    if (pasteEnds.startsWith(tail)) {
      this.sequence = tail
      if (tail === pasteEnds) {
        this.state = "text"
        this.pasteLines = 0
        this.afterReturn = false
      }
      return ""
    }
    const held = this.sequence
    this.sequence = ""
    let out = held === "" ? "" : this.pastedText(held.slice(1))
    if (character === "\x1b") this.sequence = character
    else out += this.pastedText(character)
    return out
  }

  private pastedText(of: string): string {
    const after = this.afterReturn
    this.afterReturn = of === "\r"
    if (of === "\n" && after) return ""
    if (of === "\r" || of === "\n") {
      this.pasteLines = Math.min(this.pasteLines + 1, pasteLinesMax)
      return ""
    }
    const shown = of === "\t" ? of : of.replace(unseen, "")
    if (shown === "") return ""
    const lines = "\n".repeat(this.pasteLines)
    this.pasteLines = 0
    return lines + shown
  }

  private key(character: string, code: number): Key | undefined {
    switch (this.state) {
      case "paste":
        return undefined
      case "text":
        return this.control(code, false)
      case "escape":
        return this.escaped(character, code)
      case "function":
        this.state = "text"
        return finals[character] === undefined ? undefined : press(finals[character])
      case "sequence":
        return this.sequenced(character, code)
    }
  }

  private control(code: number, alt: boolean): Key | undefined {
    if (code === 0x1b) {
      this.state = "escape"
      return undefined
    }
    this.afterReturn = code === 0x0d
    const name = controls[code]
    if (name !== undefined) return press(name, { alt })
    if (code === 0) return press(" ", { ctrl: true, alt })
    return press(String.fromCharCode(code < 27 ? code + 0x60 : code + 0x40), { ctrl: true, alt })
  }

  private escaped(character: string, code: number): Key | undefined {
    this.state = "text"
    if (character === "[" || character === "O") {
      this.state = character === "[" ? "sequence" : "function"
      this.sequence = ""
      return undefined
    }
    if (code < 0x20 || code === 0x7f) return this.control(code, true)
    return character.replace(unseen, "") === "" ? undefined : press(character, { alt: true })
  }

  private sequenced(character: string, code: number): Key | undefined {
    // A control ends what was no sequence.
    if (code < 0x20 || code > 0x7e) {
      this.state = "text"
      return this.control(code, false)
    }
    if (code < 0x40) {
      if (this.sequence.length <= sequenceMax) this.sequence += character
      return undefined
    }
    this.state = "text"
    if (this.sequence.length > sequenceMax) return undefined
    const [first = "", second = "1"] = this.sequence.split(";")
    if (character === "~" && this.sequence === pasteBegins) {
      this.state = "paste"
      this.sequence = ""
      this.afterReturn = false
      return undefined
    }
    const name = character === "~" ? numbers[first] : finals[character]
    if (name === undefined) return undefined
    // xterm: 1, and 1 for shift, 2 for alt, 4 for control.
    const modifiers = Math.max(0, (Number(second) || 1) - 1)
    return press(name, { alt: (modifiers & 2) !== 0, ctrl: (modifiers & 4) !== 0 })
  }
}
