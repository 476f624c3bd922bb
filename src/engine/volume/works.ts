/** Work on whole volumes that is under way: meanwhile they are neither removed nor renamed. */

export class VolumeWorks {
  readonly #words = new Map<string, string[]>();

  /** Until it is disposed of; `word` tells people what is done ("backup"). */
  begin(volume: string, word: string): Disposable {
    this.#words.set(volume, [...this.of(volume), word]);
    return {
      [Symbol.dispose]: () => {
        const words = this.of(volume);
        const left = words.toSpliced(words.indexOf(word), 1);
        if (left.length > 0) this.#words.set(volume, left);
        else this.#words.delete(volume);
      },
    };
  }

  of(volume: string): readonly string[] {
    return this.#words.get(volume) ?? [];
  }
}
