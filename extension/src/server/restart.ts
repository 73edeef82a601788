// Restarts one after the other, and never more than one waiting.

/** Runs a task; calls that come in while it runs are answered together by one further run. */
export class RestartQueue {
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(private readonly task: () => Promise<void>) {}

  /** Resolves when a run that began after this call has ended. */
  request(): Promise<void> {
    if (this.#queued) {
      return this.#queued;
    }
    if (this.#running) {
      this.#queued = this.#running
        .catch(() => undefined)
        .then(() => {
          this.#queued = undefined;
          return this.#run();
        });
      return this.#queued;
    }
    return this.#run();
  }

  #run(): Promise<void> {
    const run = this.task().finally(() => {
      if (this.#running === run) {
        this.#running = undefined;
      }
    });
    this.#running = run;
    return run;
  }
}
