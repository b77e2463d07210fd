#!/bin/sh
# The sharp photographs of make_pairs.sh: photographs.sh DATA OUT (authors and licences: docs/model_card.md)
#   DATA  has stack-pcb
#   OUT   gets seven photographs of Debian's package lomiri-wallpapers-16.04, two of scikit-image, and a fused focal stack
set -eu
data=$1 out=$2
mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
(cd "$scratch" && apt-get download lomiri-wallpapers-16.04 && dpkg-deb -x ./*.deb .)
for name in aitzgorri friends life picosdeeuropa; do
  cp "$scratch/usr/share/backgrounds/${name}_by_Aitzol_Berasategi.jpg" "$out"
done
for name in Picture_0B_by_freespace Picture_1A_by_freespace Wine_by_Jakkub_Mede; do
  cp "$scratch/usr/share/backgrounds/$name.jpg" "$out"
done
skimage=$(python -c 'import pathlib, skimage; print(pathlib.Path(skimage.__file__).parent)')
cp "$skimage/data/astronaut.png" "$skimage/data/coffee.png" "$out"
cp "$data/stack-pcb/expected.jpg" "$out/pcb.jpg"
