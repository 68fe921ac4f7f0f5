/**
 * Watches a tree by looking: hints say where, the tree says what was there, and the difference is what happened. So it
 * does not matter in which order hints come, how many of them, or for which of two files of one name.
 *
 * A directory is watched first and read then: what was made before its watch is found by reading, what is made later is
 * hinted at. Looking waits and can be interrupted at any point; what was found is entered in one step, and work that
 * was begun and not entered is done by whoever comes next.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { FileChange, FileSnapshot } from "./FileWatchChange.ts"
import {
  Deep,
  FileWatchDirty,
  type FileWatchPace,
  Linked,
  List,
  Look,
  Reopen,
  Written
} from "./FileWatchDirty.ts"
import { difference, type FileEntry, isSame } from "./FileWatchEntry.ts"
import { FileWatchError, fromSystem, isDenied, isGone, NotFound } from "./FileWatchError.ts"
import { FileWatchHandles } from "./FileWatchHandles.ts"
import { FileWatchJournal } from "./FileWatchJournal.ts"
import type { FileWatchHint, FileWatchPlatform, SystemError } from "./FileWatchPlatform.ts"
import { FileWatchSentinel } from "./FileWatchSentinel.ts"
import * as Reason from "./Reason.ts"
import { depthOf, FileWatchTree, join, parentOf } from "./FileWatchTree.ts"
import { uptimeMillis } from "./uptime.ts"

export interface FileWatchSettings extends FileWatchPace {
  readonly ignore: (path: string, entry: FileEntry) => boolean
  readonly depthMax: number
  readonly watchesMax: number
  readonly followSymlinks: boolean
  /** Everything is looked at again after so long without a hint. */
  readonly rescanMillis: number
}

/** Paths looked at side by side. */
const lookers = 16

export class FileWatchEngine {
  readonly tree = new FileWatchTree()
  /** Directories that cannot be read or watched, and why. They count as empty. */
  readonly unseen = new Map<string, FileWatchError>()
  /** How often everything was looked at again. */
  rescans = 0
  private readonly platform: FileWatchPlatform
  private readonly root: string
  private readonly settings: FileWatchSettings
  private readonly clock: Clock.Clock
  private readonly dirty: FileWatchDirty
  private readonly journal = new FileWatchJournal()
  private readonly hinted = Latch.makeUnsafe(false)
  private readonly watches: FileWatchHandles
  private readonly sentinel: FileWatchSentinel
  /** What is being looked at, and was not entered yet. */
  private readonly work = new Map<string, number>()
  private failure: FileWatchError | undefined = undefined
  private closed = false

  /** `root` is absolute. */
  constructor(platform: FileWatchPlatform, root: string, settings: FileWatchSettings, clock: Clock.Clock) {
    this.platform = platform
    this.root = root
    this.settings = settings
    this.clock = clock
    this.dirty = new FileWatchDirty(settings)
    this.watches = new FileWatchHandles(platform, root, settings.watchesMax, this.hint)
    this.sentinel = new FileWatchSentinel(platform, root, (written) =>
      this.mark("", written ? Look | Written : Look)
    )
  }

  get directories(): number {
    return this.watches.size
  }

  close(): void {
    this.closed = true
    this.hinted.openUnsafe()
    this.watches.closeAll()
    this.sentinel.close()
  }

  // --- what is told ---------------------------------------------------------------------------------------

  /** Everything that is there, for the first time. */
  readonly start = (options: { readonly tell: boolean; readonly await: boolean }) =>
    Effect.gen({ self: this }, function* () {
      this.work.set("", Look)
      yield* this.lookAtAll
      if (this.tree.get("") === undefined && !options.await) {
        const reason = new NotFound({ detail: "there is no such file or directory", errno: "ENOENT" })
        return yield* new FileWatchError({ path: this.root, reason })
      }
      const denied = this.unseen.get("")
      if (denied !== undefined) return yield* denied
      if (!options.tell) this.journal.clear()
    })

  /** Waits for the next changes; never empty. */
  readonly next: Effect.Effect<readonly [FileChange, ...Array<FileChange>], FileWatchError> = Effect.gen(
    { self: this },
    function* () {
      while (true) {
        // What was found when there was nobody to tell it to.
        const [first, ...others] = this.work.size > 0 ? [] : this.journal.take(this.tree.get)
        if (first !== undefined) return [first, ...others] as const
        if (this.work.size === 0) yield* this.quiet
        if (this.closed) return yield* over(this.root)
        this.begin()
        yield* this.lookAtAll
      }
    }
  )

  /** The tree as it was told: what was found since, for a reader that went, is yet to come. */
  snapshot(): FileSnapshot {
    const entries = this.tree.snapshot()
    this.journal.undo(entries)
    return entries
  }

  /** Everything is looked at again. */
  rescan(): void {
    this.mark("", Look | List | Deep)
  }

  // --- when to look -----------------------------------------------------------------------------------------

  private readonly quiet: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { rescanMillis } = this.settings
    if (this.dirty.isEmpty) {
      yield* rescanMillis === Number.POSITIVE_INFINITY
        ? this.hinted.await
        : Effect.timeoutOrElse(this.hinted.await, {
            duration: rescanMillis,
            orElse: () => Effect.sync(() => this.rescan())
          })
    }
    while (!this.closed) {
      const left = this.dirty.due - uptimeMillis(this.clock)
      if (left <= 0) return
      yield* Effect.sleep(left)
    }
  })

  private begin(): void {
    this.hinted.closeUnsafe()
    for (const [path, flags] of this.dirty.take()) {
      if (path === "" && (flags & Deep) !== 0) this.rescans++
      this.add(path, flags)
    }
  }

  private mark(path: string, flags: number): void {
    if (this.closed) return
    this.dirty.mark(path, flags, uptimeMillis(this.clock))
    this.hinted.openUnsafe()
  }

  /** What the watch of a directory says. */
  private readonly hint = (directory: string, hint: FileWatchHint): void => {
    switch (hint._tag) {
      case "Named":
        return this.mark(join(directory, hint.name), hint.written ? Look | Written : Look)
      case "Directory":
        return this.mark(directory, Look | List)
      case "Lost":
        return this.mark(directory, Look | List | Reopen)
      case "Overflow":
        return this.rescan()
    }
  }

  // --- looking ----------------------------------------------------------------------------------------------

  private add(path: string, flags: number): void {
    const before = this.work.get(path) ?? 0
    this.work.set(path, (flags & Linked) !== 0 ? before || flags : (before & ~Linked) | flags)
  }

  private readonly lookAtAll: Effect.Effect<void, FileWatchError> = Effect.gen({ self: this }, function* () {
    while (this.work.size > 0) {
      const some = [...firstOf(this.work, lookers)]
      yield* Effect.forEach(some, ([path, flags]) => this.lookAt(path, flags), {
        concurrency: lookers,
        discard: true
      })
    }
    const failed = this.failure
    this.failure = undefined
    if (failed !== undefined) return yield* failed
  })

  /** Ends with its work entered, or given back. */
  private lookAt(path: string, flags: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.work.delete(path)
      // It went with its directory, or that one is ignored; or is still to be found.
      if (!this.hasPlace(path)) return Effect.sync(() => this.findPlace(path))
      const looking = (flags & Look) !== 0 ? this.examine(path, flags) : this.read(path, flags)
      return Effect.onInterrupt(
        looking.pipe(Effect.catch((error) => Effect.sync(() => this.failed(path, error)))),
        () => Effect.sync(() => this.add(path, flags))
      )
    })
  }

  /** Whether the directory that it is in is known. */
  private hasPlace(path: string): boolean {
    const parent = parentOf(path)
    return parent === undefined || this.tree.get(parent)?.kind === "Directory"
  }

  private findPlace(path: string): void {
    const parent = parentOf(path)
    if (parent !== undefined && this.tree.get(parent) === undefined) this.add(parent, Look)
  }

  /** It stays as it is known. The first such failure is told, when everything else was looked at. */
  private failed(path: string, error: FileWatchError | SystemError): void {
    const failure =
      error instanceof FileWatchError ? error : fromSystem(this.at(path), error, this.directories)
    this.unseen.set(path, failure)
    this.failure ??= failure
  }

  private examine(path: string, flags: number): Effect.Effect<void, FileWatchError | SystemError> {
    // The root is where its name leads, always.
    const follow = path === "" || this.settings.followSymlinks
    return Effect.flatMap(this.platform.look(this.at(path), follow), (entry) => {
      if (entry === undefined) this.vanished(path, this.tree.get(path))
      else if (this.hasPlace(path)) this.enter(path, entry, flags)
      if (path !== "") return Effect.void
      const isDirectory = this.tree.get("")?.kind === "Directory"
      return Effect.map(this.sentinel.guard(isDirectory), (isNew) => {
        if (isNew) this.add("", Look)
      })
    })
  }

  /** Hints of a name that is nowhere may be about the directory itself, under a name it had. */
  private vanished(path: string, known: FileEntry | undefined): void {
    const parent = parentOf(path)
    if (known === undefined && parent !== undefined) this.add(parent, Look)
    this.forget(path)
  }

  /** Opens the watch of a directory, and reads it. */
  private read(path: string, flags: number): Effect.Effect<void, FileWatchError | SystemError> {
    const listing = Effect.andThen(
      Effect.suspend(() => this.watches.open(path, (flags & Reopen) !== 0)),
      Effect.suspend(() => this.platform.list(this.at(path), this.settings.followSymlinks))
    )
    return Effect.matchEffect(listing, {
      onFailure: (error) => this.unread(path, error),
      onSuccess: (names) =>
        Effect.sync(() => {
          // It went while it was read.
          if (this.tree.get(path)?.kind !== "Directory") return this.watches.close(path)
          this.unseen.delete(path)
          const deep = flags & Deep
          for (const [name, entry] of names) this.enter(join(path, name), entry, deep)
          const present = new Set(names.map(([name]) => name))
          for (const name of this.tree.namesIn(path)) {
            if (!present.has(name)) this.forget(join(path, name))
          }
        })
    })
  }

  private unread(
    path: string,
    error: FileWatchError | SystemError
  ): Effect.Effect<void, FileWatchError | SystemError> {
    return Effect.suspend((): Effect.Effect<void, FileWatchError | SystemError> => {
      this.watches.close(path)
      this.forgetBelow(path)
      if (error instanceof FileWatchError) return Effect.fail(error)
      // It is no more what it was just now.
      if (isGone(error)) this.mark(path, Look | List)
      else if (isDenied(error)) this.unseen.set(path, fromSystem(this.at(path), error, this.directories))
      else return Effect.fail(error)
      return Effect.void
    })
  }

  // --- entering what was found --------------------------------------------------------------------------------

  private enter(path: string, entry: FileEntry, flags: number): void {
    const known = this.tree.get(path)
    const depth = depthOf(path)
    if (depth > this.settings.depthMax) return
    if (path !== "" && (this.settings.ignore(path, entry) || this.isLoop(path, entry)))
      return this.forget(path)
    this.journal.note(path, known)
    const same = known !== undefined && isSame(known, entry)
    if (same && (flags & Written) !== 0 && known.isFresh && known.kind === "File") {
      // Written within the grain of the file system's clock.
      if (known.ctimeNanos === entry.ctimeNanos) this.journal.touch(path, known)
    }
    if (known?.kind === "Directory" && !same) this.forgetBelow(path)
    this.tree.put(path, entry)
    if ((flags & Linked) === 0) this.linked(path, known, entry)
    if (entry.kind !== "Directory") return this.watches.close(path)
    if (depth >= this.settings.depthMax) return
    // Where one number may be two directories, the watch may be of the other one.
    const doubtful = !same || !entry.identityIsCertain || (flags & Reopen) !== 0
    const wanted = doubtful ? List | Reopen | Deep : flags & (List | Deep)
    if (wanted !== 0 || this.unseen.has(path) || !this.watches.has(path)) this.add(path, wanted | List)
  }

  /** What is written under one of a file's names is hinted at under that one only. */
  private linked(path: string, known: FileEntry | undefined, entry: FileEntry): void {
    if (entry.kind !== "File" || entry.links === 1) return
    if (known !== undefined && difference(known, entry) === "None") return
    for (const other of this.tree.pathsOf(entry)) {
      const seen = this.tree.get(other)
      if (other !== path && seen !== undefined && difference(seen, entry) !== "None") {
        this.add(other, Look | Linked)
      }
    }
  }

  /** Whether a link leads back to a directory that it is in. */
  private isLoop(path: string, entry: FileEntry): boolean {
    if (!this.settings.followSymlinks || entry.kind !== "Directory") return false
    for (let above = parentOf(path); above !== undefined; above = parentOf(above)) {
      if (this.tree.get(above)?.identity === entry.identity) return true
    }
    return false
  }

  private forget(path: string): void {
    this.tree.remove(path, this.forgotten)
  }

  private forgetBelow(path: string): void {
    this.tree.removeBelow(path, this.forgotten)
  }

  private readonly forgotten = (path: string, entry: FileEntry): void => {
    this.journal.note(path, entry)
    this.work.delete(path)
    this.unseen.delete(path)
    this.watches.close(path)
  }

  private at(path: string): string {
    return this.platform.at(this.root, path)
  }
}

function* firstOf<K, V>(map: ReadonlyMap<K, V>, count: number): Generator<readonly [K, V]> {
  for (const entry of map) {
    if (count-- <= 0) return
    yield entry
  }
}

const over = (path: string): FileWatchError =>
  new FileWatchError({ path, reason: new Reason.Closed({ detail: "the watch is over: its scope ended" }) })
