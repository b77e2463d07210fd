#!/bin/sh
# The training pairs of the weights that those that ship started from: make_pairs.sh DATA PHOTOGRAPHS OUT
#   DATA         has lf-stanford-chess, lf-lytro-2067 and rgbd-middlebury (sources and licences: docs/model_card.md)
#   PHOTOGRAPHS  sharp pictures
#   OUT          gets the folders chess, lytro, middlebury, held-out (never trained on), photos and photos-2 to photos-4
set -eu
data=$1 photos=$2 out=$3
# disk:0.4 is one view: sharp in, sharp out, so that the network learns to leave sharp pictures alone.
common="--no-defocus-maps --no-contact-sheets --aperture disk:0.4 --aperture disk:1.5 --aperture disk:2.5 --aperture disk:4"

lfdeblur generate "$data/lf-stanford-chess" --out "$out/chess" --disparity=-0.5,0.5,1.5,2.5,3.5 $common
lfdeblur generate "$data/lf-lytro-2067" --out "$out/lytro" --planes 4 --scale 2 $common
for scene in Aloe Art Books Cones Dolls Laundry Motorcycle Reindeer; do
  lfdeblur generate "$data/rgbd-middlebury/$scene" --out "$out/middlebury" --planes 3 --spread 2 --scale 2 $common
done
for scene in Moebius Teddy; do
  lfdeblur generate "$data/rgbd-middlebury/$scene" --out "$out/held-out" --planes 3 --spread 2 --scale 2 $common
done
lfdeblur generate "photo:$photos" --out "$out/photos" --planes 2 --spread 2.5 --seed 1 $common
for seed in 2 3 4; do # other layers of depth
  lfdeblur generate "photo:$photos" --out "$out/photos-$seed" --planes 2 --spread 2.5 --seed "$seed" $common
done
# Without blur all planes are the same picture.
find "$out" -name '*_ap1_0[1-9].png' -delete
