# redraw: gnuplot pays.gp (in this directory)
set terminal svg size 900,480 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'pays.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "From how long a task on does a pool pay?" font ',15' offset 0,0.6
set logscale x
set xtics ("0.1 ns" 0.1, "1 ns" 1e0, "10 ns" 1e1, "100 ns" 1e2, "1 us" 1e3, "10 us" 1e4, "100 us" 1e5, "1 ms" 1e6, "10 ms" 1e7, "100 ms" 1e8, "1 s" 1e9, "10 s" 1e10, "100 s" 1e11)
set logscale y
set xlabel 'sequential time of one task (logarithmic)'
set ylabel 'speed-up over the sequential loop'
set ytics (0.001, 0.01, 0.1, 0.5, 1, 2, 4, 8, 16, 32, 64)
set grid ytics linetype 1 linecolor '#e4e4e4'
set key bottom right
set arrow from graph 0,first 1 to graph 1,first 1 nohead linecolor '#000000' dashtype 2
set label 'as fast as the loop' at graph 0.01,first 1 offset 0,0.6 font ',11'
set arrow from graph 0,first 2 to graph 1,first 2 nohead linecolor '#888888' dashtype 3
set label 'all 2 CPUs busy' at graph 0.01,first 2 offset 0,0.6 font ',11'
set yrange [*:4]
plot 'pays.dat' index 0 using 1:2 with linespoints linewidth 2 dashtype 1 pointtype 4 linecolor '#0072B2' title 'map, processes', \
 'pays.dat' index 1 using 1:2 with linespoints linewidth 2 dashtype 1 pointtype 4 linecolor '#D55E00' title 'map, threads', \
 'pays.dat' index 2 using 1:2 with linespoints linewidth 2 dashtype 2 pointtype 5 linecolor '#0072B2' title 'apply_async, processes', \
 'pays.dat' index 3 using 1:2 with linespoints linewidth 2 dashtype 2 pointtype 5 linecolor '#D55E00' title 'apply_async, threads', \
 'pays.dat' index 4 using 1:2 with linespoints linewidth 2 dashtype 3 pointtype 6 linecolor '#0072B2' title 'executor submit, processes', \
 'pays.dat' index 5 using 1:2 with linespoints linewidth 2 dashtype 3 pointtype 6 linecolor '#D55E00' title 'executor submit, threads', \
 'pays.dat' index 6 using 1:2 with linespoints linewidth 2 dashtype 4 pointtype 7 linecolor '#0072B2' title 'executor map, processes', \
 'pays.dat' index 7 using 1:2 with linespoints linewidth 2 dashtype 4 pointtype 7 linecolor '#D55E00' title 'executor map, threads'
