/** Which file is open now, and when it must be another one. */
import * as fs from "node:fs"
import * as Outlet from "./NodeLogFileOutlet.ts"
import { dayOf, moveAway, type Rotation } from "./NodeLogFileRotation.ts"

/** How often it is looked whether the file is still there. */
const lookMillis = 1000

/** For who rotates only when asked. */
const rotationDefault: Rotation = { bytes: Infinity, keep: 10, daily: false }

export class NodeLogFilePlace {
  opened: Outlet.Opened
  /** Of the file, in bytes: whoever writes adds to it. */
  size = 0
  /** The size that it should not pass. */
  limit = Infinity
  rotations = 0
  private readonly options: Outlet.OpenOptions
  private readonly rotation: Rotation | undefined
  private readonly tell: (text: string) => void
  /** That of its last line. */
  private day: string
  private lookedAt = Date.now()
  private isFailing = false

  /** Throws what the system says. */
  constructor(options: Outlet.OpenOptions, rotation: Rotation | undefined, tell: (text: string) => void) {
    this.options = options
    this.rotation = rotation
    this.tell = tell
    this.opened = Outlet.open(options)
    const { file } = this.opened
    this.day = dayOf(file === undefined || file.size === 0 ? this.lookedAt : file.modified)
    this.settle()
  }

  /** Whether the file is still where it was, and as long as we think; and whether a new day has begun. */
  follow(now: number): void {
    if (this.opened.file === undefined) return
    if (Math.abs(now - this.lookedAt) >= lookMillis) {
      this.lookedAt = now
      const size = Outlet.sizeAt(this.opened, this.options.path)
      if (size === undefined) this.byItself(() => this.reopen())
      else this.size = size
    }
    if (this.rotation?.daily !== true) return
    const today = dayOf(now)
    if (today === this.day) return
    if (this.size > 0) this.rotateByItself()
    this.day = today
  }

  /** Throws what the system says; the old one is open then. */
  reopen(): void {
    const next = Outlet.open(this.options)
    Outlet.close(this.opened)
    this.opened = next
    this.settle()
  }

  /** Throws what the system says; the old one is open then, and has its name. */
  rotate(): void {
    const { path } = this.options
    if (this.opened.file === undefined) return
    // Somebody else has moved it.
    if (Outlet.sizeAt(this.opened, path) === undefined) return this.reopen()
    const old = moveAway(path, this.rotation ?? rotationDefault, this.day)
    try {
      this.reopen()
    } catch (error) {
      if (!fs.existsSync(path)) fs.renameSync(old, path)
      throw error
    }
    this.day = dayOf(Date.now())
    this.rotations++
  }

  rotateByItself(): void {
    this.byItself(() => this.rotate())
    // It may grow as much again until the next attempt.
    if (this.isFailing) this.limit = this.size + (this.rotation?.bytes ?? Infinity)
  }

  /** What is open stays so if it fails; that is told once. */
  private byItself(work: () => void): void {
    try {
      work()
      this.isFailing = false
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      if (!this.isFailing) this.tell(`cannot be moved or opened again: ${detail}; the old one is used`)
      this.isFailing = true
    }
  }

  /** After it was opened. */
  private settle(): void {
    const { file } = this.opened
    this.size = file?.size ?? 0
    this.limit = file === undefined ? Infinity : (this.rotation?.bytes ?? Infinity)
  }
}
